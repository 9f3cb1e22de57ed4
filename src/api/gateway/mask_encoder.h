// From texts with masks to what the engine takes: ids, the masks' positions, the tokens to choose
// from.
#pragma once

#include <memory>
#include <string>

#include "api/embedding_request.h"
#include "models/model.h"

namespace strata::api {

constexpr size_t kMaxGuesses = 1u << 16;  // of an answer: some 40 MB of JSON while it is made

class MaskEncoder {
 public:
  // Error{failed_precondition}: the model fills in no masks, or its vocabulary has none.
  // Error{invalid_argument}: more tokens are wanted than there are, or no target is left.
  MaskEncoder(const models::Model& model, const MaskWish& wish);

  // Error{invalid_argument}: the text has no mask, or the answer would be too long.
  inference::EmbeddingInput encode(const std::string& text);
  // Of the targets, what was done otherwise than asked; empty: nothing.
  const std::string& notice() const { return notice_; }

 private:
  void read_targets(const std::vector<std::string>& targets);
  models::MarkedText with_masks(const std::string& text) const;
  void count(const inference::EmbeddingInput& input);

  const models::Model& model_;
  const models::TokenId mask_;
  const std::string spelling_;  // of the mask
  std::shared_ptr<inference::GuessRules> rules_;
  std::string notice_;
  size_t n_guesses_ = 0;
  int64_t n_written_ = 0;  // tokens of all sequences of the answer
};

}  // namespace strata::api
