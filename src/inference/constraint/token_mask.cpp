#include "inference/constraint/token_mask.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace strata::inference {

void keep_allowed(std::span<const float> logits, const TokenMask& mask, std::vector<float>& out) {
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  out.resize(logits.size());
  const size_t n_words = (logits.size() + 63) / 64;
  for (size_t word = 0; word < n_words; ++word) {
    const uint64_t bits = word < mask.bits.size() ? mask.bits[word] : 0;
    const float* from = logits.data() + word * 64;
    float* to = out.data() + word * 64;
    const size_t n = std::min<size_t>(64, logits.size() - word * 64);
    // Whatever is rarer, one by one.
    const bool most = std::popcount(bits) > 32;
    if (most) {
      std::copy_n(from, n, to);
    } else {
      std::fill_n(to, n, kNone);
    }
    for (uint64_t left = most ? ~bits : bits; left != 0; left &= left - 1) {
      const auto i = static_cast<size_t>(std::countr_zero(left));
      if (i < n) to[i] = most ? kNone : from[i];
    }
  }
}

}  // namespace strata::inference
