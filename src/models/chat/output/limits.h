// What an answer that is taken apart may cost.
#pragma once

#include <cstddef>

namespace strata::models {

constexpr size_t kMaxCallBytes = 1u << 20;  // of one call while it is being written: a file's text
constexpr size_t kMaxCallDepth = 64;        // nesting of its arguments
constexpr size_t kMaxCallsOfAnswer = 128;   // what comes behind them stays content
constexpr size_t kMaxToolNameBytes = 128;

}  // namespace strata::models
