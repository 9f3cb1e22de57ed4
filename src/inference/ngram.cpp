#include "inference/ngram.h"

#include "inference/noise.h"

namespace strata::inference {

uint64_t ngram_hash(std::span<const int32_t> tokens) {
  uint64_t hash = 0;
  for (const int32_t token : tokens) hash = mix64(hash * 31 + static_cast<uint64_t>(token) + 1);
  return hash;
}

int32_t common_end(std::span<const int32_t> a, std::span<const int32_t> b, int32_t most) {
  int32_t n = 0;
  while (n < most && !a.empty() && !b.empty() && a.back() == b.back()) {
    a = a.first(a.size() - 1);
    b = b.first(b.size() - 1);
    ++n;
  }
  return n;
}

}  // namespace strata::inference
