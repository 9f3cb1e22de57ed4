// Whole numbers on their way from the cache's int4 to a product
// (tensor/kernels/attention_source.h).
#pragma once

#include <cstdint>

namespace strata::tensor {
namespace {

// The first of each of 16 pairs, and the second of each.
struct Wholes {
  using Sixteen [[gnu::vector_size(16)]] = int8_t;
  Sixteen first, second;
};

}  // namespace
}  // namespace strata::tensor
