#include "models/quantized/hf_weight.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "models/format/gguf_part.h"

namespace strata::models {
namespace {

using tensor::DType;

// Each holds what those before it hold, where a maker makes both.
constexpr std::array kWidening{DType::q4_0, DType::q5_0, DType::q8_0, DType::bf16, DType::f32};

}  // namespace

DType common_type(std::span<const HfWeight> weights) {
  const HfWeight& first = weights[0];
  DType type = first.type;
  const auto place = [](DType one) { return std::ranges::find(kWidening, one); };
  for (const HfWeight& weight : weights) {
    if (place(weight.type) > place(type)) type = weight.type;
  }
  for (const HfWeight& weight : weights) {
    if (weight.shape == first.shape && weight.made_transposed == first.made_transposed &&
        first.maker->can_make(type) && weight.maker->can_make(type)) {
      continue;
    }
    throw Error(Code::invalid_argument,
                fmt::format("tensors '{}' and '{}' differ in shape or dtype", printable(first.name),
                            printable(weight.name)));
  }
  return type;
}

}  // namespace strata::models
