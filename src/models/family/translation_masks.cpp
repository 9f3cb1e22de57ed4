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

std::string bias_of(std::string_view name) {
  return fmt::format("{}.bias", name);
}

// A head of other sizes, left behind when the vocabulary was changed, is no reason to refuse
// vectors.
std::string misfit_of(const HfFolder& folder, const HfConfig& config, const MaskHeadNames& names,
                      bool tied) {
  using Shape = std::vector<uint64_t>;
  const auto width = static_cast<uint64_t>(config.need_integer({"hidden_size"}));
  const auto words = static_cast<uint64_t>(config.need_integer({"vocab_size"}));
  std::vector<std::pair<std::string, Shape>> parts{
      {weight_of(names.dense), {width, width}}, {bias_of(names.dense), {width}},
      {weight_of(names.norm), {width}},         {bias_of(names.norm), {width}},
      {bias_of(names.decoder), {words}},        {std::string(names.bias), {words}}};
  if (!tied) parts.push_back({weight_of(names.decoder), {words, width}});
  for (const auto& [name, shape] : parts) {
    const SafeTensor* tensor = folder.find(name);
    if (tensor != nullptr && tensor->shape != shape) {
      return fmt::format("{} has {} numbers by {} rows, the encoder needs {} by {}", name,
                         tensor->shape.empty() ? 1 : tensor->shape.back(),
                         tensor->shape.size() > 1 ? tensor->shape.front() : 1, shape.back(),
                         shape.size() > 1 ? shape.front() : 1);
    }
  }
  return "";
}

}  // namespace

bool Translation::has_mask_head(const MaskHeadNames& names, bool tied) const {
  return has(weight_of(names.dense)) && has(weight_of(names.norm)) &&
         (tied || has(weight_of(names.decoder)));
}

void Translation::mask_head(const MaskHeadNames& names) {
  const bool tied = config_.flag("tie_word_embeddings").value_or(true);
  if (has_mask_head(names, tied)) {
    const std::string misfit = misfit_of(*folder_, config_, names, tied);
    const std::string_view why = why_no_mask_head_.empty() ? misfit : why_no_mask_head_;
    if (why.empty()) {
      read_mask_head(names, tied);
    } else {
      log_warn("the head that fills in masks is left out: {}", why);
    }
  }
  for (const std::string_view part : {names.dense, names.norm, names.decoder}) {
    for (const char* kind : {"weight", "bias"}) ignore(fmt::format("{}.{}", part, kind));
  }
  ignore(names.bias);
}

// A tied weight that is stored a second time is not read, as in the reference; a bias has two names
// there, of which the one beside the tied weight may be the only one that is stored.
void Translation::read_mask_head(const MaskHeadNames& names, bool tied) {
  const std::string bias = bias_of(names.decoder);
  const std::array rules{TensorRule{"masks.dense", names.dense},
                         TensorRule{"masks.norm", names.norm},
                         TensorRule{"output.bias", tied ? names.bias : std::string_view(bias)},
                         TensorRule{"output.bias", tied ? std::string_view(bias) : names.bias}};
  tensors(rules);
  const std::string weight = weight_of(names.decoder);
  if (!tied) tensors(std::array{TensorRule{"output.weight", weight}});
}

}  // namespace strata::models
