// What the tokenizers of every kind share: the vocabulary, its special tokens, and decoding.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>

#include "models/tokenizer/prepared_text.h"
#include "models/tokenizer/special_matcher.h"
#include "models/tokenizer/tokenizer.h"
#include "models/tokenizer/vocabulary.h"

namespace strata::models {

// How the spelling of a normal token stands for bytes.
enum class Spelling : uint8_t {
  byte_alphabet,  // each character is one byte (GPT-2's table)
  space_marks,    // UTF-8, with U+2581 for a space
};

// GPT-2's alphabet: a printable character for each byte.
const std::array<std::string, 256>& byte_alphabet();

class VocabularyTokenizer : public Tokenizer {
 public:
  VocabularyTokenizer(Vocabulary vocabulary, Spelling spelling);

  std::string piece(TokenId id, bool spell_control) const override;
  std::string decode(std::span<const TokenId> ids, bool spell_control) const override;
  int32_t n_vocab() const override { return static_cast<int32_t>(vocabulary_.size()); }
  TokenKind kind(TokenId id) const override;
  TokenId bos() const override { return vocabulary_.ids.bos; }
  TokenId eos() const override { return vocabulary_.ids.eos; }
  bool add_bos() const override { return vocabulary_.add_bos; }
  bool add_eos() const override { return vocabulary_.add_eos; }
  bool ends_generation(TokenId id) const override { return vocabulary_.ends_generation(id); }
  TokenId find(std::string_view token) const override { return vocabulary_.table.find(token); }
  const SpecialIds& special_ids() const override { return vocabulary_.ids; }

 protected:
  const Vocabulary& vocabulary() const { return vocabulary_; }
  const SpecialMatcher& matcher() const { return matcher_; }
  // Tells the log, once, that the vocabulary has no token for a byte of a text.
  void report_lost_byte(uint8_t byte) const;

 private:
  void check_id(TokenId id) const;

  Vocabulary vocabulary_;
  Spelling spelling_;
  SpecialMatcher matcher_;
  mutable std::atomic<bool> reported_{false};
};

// Byte-level BPE with the pre-tokenizer of this name; `default_bos`: see PreTokenizerSpec.
std::shared_ptr<const Tokenizer> make_bpe(std::shared_ptr<const ModelFile> file,
                                          std::string_view pre_tokenizer);
// SentencePiece's BPE: merges by score, bytes for what is not in the vocabulary.
std::shared_ptr<const Tokenizer> make_sentencepiece(std::shared_ptr<const ModelFile> file);

// Tokens that take the white space beside them along: not in the file, known by the model's name.
StripRules strip_rules(const Vocabulary& vocabulary);

}  // namespace strata::models
