#include "inference/embedding.h"

#include <cmath>

#include "inference/limits.h"

namespace strata::inference {
namespace {

void check_masks(const models::ModelSpec& spec, const EmbeddingInput& input, size_t index) {
  if (input.masks.empty()) return;
  if (!spec.masks) {
    throw Error(Code::failed_precondition, "the model has no head that fills in masks",
                "choose a model that was published for fill-mask");
  }
  if (input.masks.size() <= kMaxMasks) return;
  throw Error(
      Code::invalid_argument,
      fmt::format("input {} has {} masks, the limit is {}", index, input.masks.size(), kMaxMasks),
      "fill in fewer at a time");
}

}  // namespace

void check_embedding_inputs(const models::ModelSpec& spec, std::span<const EmbeddingInput> inputs,
                            int32_t context) {
  if (spec.encoder) {
    throw Error(Code::failed_precondition,
                "the model reads with an encoder and writes an answer: it makes no vectors",
                "choose a model that makes vectors");
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    check_masks(spec, inputs[i], i);
    const auto& ids = inputs[i].ids;
    if (ids.empty()) {
      throw Error(Code::invalid_argument, fmt::format("input {} has no tokens", i));
    }
    if (ids.size() > static_cast<size_t>(context)) {
      throw Error(Code::invalid_argument,
                  fmt::format("input {} has {} tokens, the model takes {}", i, ids.size(), context),
                  "shorten it, or cut it into pieces");
    }
    for (const int32_t id : ids) {
      if (id >= 0 && id < spec.n_vocab) continue;
      throw Error(
          Code::invalid_argument,
          fmt::format("input {}: token {} is not in the vocabulary of {}", i, id, spec.n_vocab));
    }
  }
}

void normalize(std::span<float> vector) {
  double squares = 0;
  for (const float value : vector) squares += double{value} * double{value};
  if (squares == 0) return;
  const double scale = 1 / std::sqrt(squares);
  for (float& value : vector) value = static_cast<float>(value * scale);
}

}  // namespace strata::inference
