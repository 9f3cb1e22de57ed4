// What tokenizers of every kind answer from their vocabulary alone.
#pragma once

#include <atomic>

#include "models/tokenizer/tokenizer.h"
#include "models/tokenizer/vocabulary.h"

namespace strata::models {

class TokenizerBase : public Tokenizer {
 public:
  explicit TokenizerBase(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}

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
  // Errors: invalid_argument for an id that is none of the vocabulary.
  void check_id(TokenId id) const;
  // Tells the log, once, that the vocabulary has no token for a byte of a text.
  void report_lost_byte(uint8_t byte) const;

 private:
  Vocabulary vocabulary_;
  mutable std::atomic<bool> reported_{false};
};

}  // namespace strata::models
