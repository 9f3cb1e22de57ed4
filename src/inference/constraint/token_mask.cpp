#include "inference/constraint/token_mask.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace strata::inference {

void keep_allowed(std::span<const float> logits, const TokenMask& mask, std::vector<float>& out) {
  out.assign(logits.size(), -std::numeric_limits<float>::infinity());
  const size_t n_words = std::min(mask.bits.size(), (logits.size() + 63) / 64);
  for (size_t word = 0; word < n_words; ++word) {
    const uint64_t bits = mask.bits[word];
    const size_t begin = word * 64;
    const size_t n = std::min<size_t>(64, logits.size() - begin);
    if (bits == ~uint64_t{0} && n == 64) {
      std::copy_n(logits.data() + begin, 64, out.data() + begin);
      continue;
    }
    for (uint64_t left = bits; left != 0; left &= left - 1) {
      const auto i = static_cast<size_t>(std::countr_zero(left));
      if (i < n) out[begin + i] = logits[begin + i];
    }
  }
}

}  // namespace strata::inference
