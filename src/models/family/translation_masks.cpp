// The head of encoders that fill in masks: a dense layer, a norm, and the decoder, whose weight is
// the token embedding's unless config.json says otherwise.
#include <array>

#include "core/log.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

std::string weight_of(std::string_view name) {
  return fmt::format("{}.weight", name);
}

}  // namespace

bool Translation::has_mask_head(const MaskHeadNames& names, bool tied) const {
  return has(weight_of(names.dense)) && has(weight_of(names.norm)) &&
         (tied || has(weight_of(names.decoder)));
}

void Translation::mask_head(const MaskHeadNames& names) {
  const bool tied = config_.flag("tie_word_embeddings").value_or(true);
  const bool is_there = has_mask_head(names, tied);
  if (is_there && !why_no_mask_head_.empty()) {
    log_warn("the head that fills in masks is left out: {}", why_no_mask_head_);
  } else if (is_there) {
    read_mask_head(names, tied);
  }
  for (const std::string_view part : {names.dense, names.norm, names.decoder}) {
    for (const char* kind : {"weight", "bias"}) ignore(fmt::format("{}.{}", part, kind));
  }
  ignore(names.bias);
}

// A tied weight that is stored a second time is not read, as in the reference; a bias has two names
// there, of which the one beside the tied weight may be the only one that is stored.
void Translation::read_mask_head(const MaskHeadNames& names, bool tied) {
  const std::string bias = fmt::format("{}.bias", names.decoder);
  const std::array rules{TensorRule{"masks.dense", names.dense},
                         TensorRule{"masks.norm", names.norm},
                         TensorRule{"output.bias", tied ? names.bias : std::string_view(bias)},
                         TensorRule{"output.bias", tied ? std::string_view(bias) : names.bias}};
  tensors(rules);
  const std::string weight = weight_of(names.decoder);
  if (!tied) tensors(std::array{TensorRule{"output.weight", weight}});
}

}  // namespace strata::models
