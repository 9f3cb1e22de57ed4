// Speeds of an executor, measured: what `strata bench` and ./dev bench print.
#pragma once

#include <cstdint>

#include "inference/executor.h"

namespace strata::inference {

struct BenchCase {
  int32_t prompt = 512;    // tokens of a prefill; 0: none
  int32_t generate = 128;  // tokens decoded a sequence; 0: none
  int32_t depth = 0;       // tokens in the cache before the first decoded one
  int32_t batch = 1;       // sequences decoded at once
  int32_t chunk = 512;     // rows of a prefill step
};

struct BenchResult {
  double prefill_tokens_per_second = 0.0;  // 0: not asked
  double decode_tokens_per_second = 0.0;   // of all sequences together
};

// Tokens are pseudo-random and the same each time; decoding takes the most likely token. Leaves the
// cache as it was. Errors: those of step (the cache must hold batch x (depth + generate)).
BenchResult measure_speed(Executor& executor, int32_t n_vocab, const BenchCase& bench);

}  // namespace strata::inference
