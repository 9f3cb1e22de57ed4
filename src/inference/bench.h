// Speeds of an executor, measured: what `strata bench` and ./dev bench print. Nothing is cached or
// guessed: prompts are new random tokens each round, decoding is fed a given text, and the head and
// the choice of the likeliest token are inside the clock.
#pragma once

#include <cstdint>
#include <span>

#include "inference/executor.h"

namespace strata::inference {

struct PromptCase {
  int32_t n_tokens = 512;
  int32_t chunk = 512;  // rows of a step
};
// Seconds until the first token behind a prompt is known. `round`: another prompt. Leaves the cache
// as it was. Errors: those of Executor::step.
double measure_prompt(Executor& executor, int32_t n_vocab, const PromptCase& bench, uint64_t round);

struct GenerateCase {
  int32_t n_tokens = 128;  // of each sequence
  int32_t batch = 1;       // sequences decoded at once
  int32_t depth = 0;       // tokens in the cache before the first decoded one
};
// Tokens per second of all sequences together, fed with `text` (each sequence from another place,
// from the beginning again when it ends). The cache must hold batch x (depth + n_tokens) positions.
double measure_generate(Executor& executor, int32_t n_vocab, const GenerateCase& bench,
                        std::span<const int32_t> text, uint64_t round);

}  // namespace strata::inference
