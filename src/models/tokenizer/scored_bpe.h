// Byte-pair encoding without a list of merges: two neighbours merge when what they spell together
// is a token, the best token first. SentencePiece's BPE orders by score, tiktoken by rank.
#pragma once

#include <memory>
#include <vector>

#include "models/tokenizer/vocabulary.h"
#include "models/tokenizer/word_model.h"

namespace strata::models {

// Orders float32 scores as unsigned numbers, the highest score first.
uint32_t priority_of(float score);

struct ScoredBpeRules {
  std::vector<uint32_t> priorities;  // one a token, the lowest first
  bool byte_symbols = false;         // words begin as single bytes, not as characters
  bool whole_words = false;          // a word that is a token is not merged up from its parts
};

// What is no token becomes its byte tokens (Vocabulary::byte_ids), else the bytes that are tokens
// by themselves, else the vocabulary's unknown token; what has none of these is left out.
class ScoredBpeModel final : public WordModel {
 public:
  // `vocabulary` must outlive the model.
  ScoredBpeModel(const Vocabulary& vocabulary, ScoredBpeRules rules);

  // Words need not be valid UTF-8.
  void encode(std::string_view word, WordScratch& scratch,
              std::vector<TokenId>& ids) const override;

 private:
  TokenId find_text(std::string_view text) const;
  void append_bytes(std::string_view text, WordScratch& scratch, std::vector<TokenId>& ids) const;

  const Vocabulary* vocabulary_;
  ScoredBpeRules rules_;
};

// Of a vocabulary with scores.
std::vector<uint32_t> priorities_by_score(const Vocabulary& vocabulary);

}  // namespace strata::models
