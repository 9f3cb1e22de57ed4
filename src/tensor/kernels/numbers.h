// Numbers known to the compiler, for loops that must unroll.
#pragma once

namespace strata::tensor {
namespace {

template <int kValue>
struct Number {
  static constexpr int value = kValue;
};

// Calls body(Number<n>) for n in 1 .. kMax.
template <int kMax, class Body>
inline void with_number(int n, const Body& body) {
  if constexpr (kMax > 1) {
    if (n < kMax) return with_number<kMax - 1>(n, body);
  }
  body(Number<kMax>{});
}

// body(Number<kFrom>), …, body(Number<kTo - 1>).
template <int kFrom, int kTo, class Body>
[[gnu::always_inline]] inline void unrolled(const Body& body) {
  if constexpr (kFrom < kTo) {
    body(Number<kFrom>{});
    unrolled<kFrom + 1, kTo>(body);
  }
}

}  // namespace
}  // namespace strata::tensor
