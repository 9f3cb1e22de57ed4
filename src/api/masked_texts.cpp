#include "api/masked_texts.h"

#include <span>

namespace strata::api {

// As transformers' pipeline does it (pipelines/fill_mask.py): padding never reads as text.
FilledMask MaskedTexts::filled(size_t text, size_t mask, models::TokenId token) const {
  const MaskedText& masked = texts_[text];
  std::vector<models::TokenId> ids = masked.ids;
  ids[static_cast<size_t>(masked.masks[mask])] = token;
  std::erase(ids, tokenizer_->special_ids().padding);
  return {.token = tokenizer_->decode(std::span(&token, 1), true),
          .sequence = tokenizer_->decode(ids, masked.masks.size() > 1)};
}

}  // namespace strata::api
