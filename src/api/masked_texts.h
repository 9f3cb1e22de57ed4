// Texts whose masks a model has guessed, and how they read with a guess in its place.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "inference/mask_guesses.h"
#include "models/tokenizer/tokenizer.h"

namespace strata::api {

struct MaskedText {
  std::vector<models::TokenId> ids;
  std::vector<int32_t> masks;  // positions, ascending
};

struct FilledMask {
  std::string token;     // as text
  std::string sequence;  // the text with it
};

class MaskedTexts {
 public:
  explicit MaskedTexts(std::shared_ptr<const models::Tokenizer> tokenizer)
      : tokenizer_(std::move(tokenizer)) {}

  void add(MaskedText text) { texts_.push_back(std::move(text)); }
  const std::vector<MaskedText>& texts() const { return texts_; }
  // Of a text with several masks the others stay in the sequence, and control tokens with them.
  FilledMask filled(size_t text, size_t mask, models::TokenId token) const;

 private:
  std::shared_ptr<const models::Tokenizer> tokenizer_;
  std::vector<MaskedText> texts_;
};

}  // namespace strata::api
