// Byte-pair encoding of one word: its symbols (bytes, or characters) are merged by rank. The
// scheme: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", 2.2.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/merge_table.h"
#include "models/tokenizer/vocabulary.h"
#include "models/tokenizer/word_model.h"

namespace strata::models {

// What becomes of a character that is no token.
enum class ByteFallback : uint8_t {
  none,       // it is unknown
  all,        // its bytes, if the vocabulary has a token for each of them
  each_byte,  // its bytes; those without a token are left out
};

struct BpeRules {
  bool byte_symbols = false;   // tokens are spelled in the byte alphabet, words are plain bytes
  bool whole_words = false;    // a word that is a token is not merged up from its parts
  bool newline_words = false;  // a run of newlines that is a token is not merged up
  ByteFallback fallback = ByteFallback::none;
  TokenId unknown = -1;       // for what is still no token; -1: it is left out
  bool fuse_unknown = false;  // neighbours that are unknown become one
  bool lost_divides = false;  // what is left out still keeps its neighbours from merging
  std::string prefix;         // in front of each symbol but the word's first
  std::string suffix;         // behind the word's last symbol
};

class BpeModel final : public WordModel {
 public:
  // `vocabulary` must outlive the model.
  BpeModel(const Vocabulary& vocabulary, MergeTable merges, BpeRules rules);

  void encode(std::string_view word, WordScratch& scratch,
              std::vector<TokenId>& ids) const override;

 private:
  TokenId text_token(std::string_view spelling) const;
  TokenId whole_word(std::string_view word, WordScratch& scratch) const;
  TokenId symbol_at(std::string_view word, size_t at, size_t length, WordScratch& scratch) const;
  void add_symbols(std::string_view word, WordScratch& scratch) const;
  bool add_bytes(std::string_view word, size_t at, size_t length, WordScratch& scratch) const;

  const Vocabulary* vocabulary_;
  MergeTable merges_;
  BpeRules rules_;
  std::array<TokenId, 256> byte_ids_{};  // of the symbols that are one byte long
};

}  // namespace strata::models
