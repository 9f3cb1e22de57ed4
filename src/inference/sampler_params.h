// How the next token is chosen. Names and meanings are llama.cpp's and Ollama's; a default here
// means "switched off", the product's defaults are in inference/defaults.h.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace strata::inference {

struct SamplerParams {
  float temperature = 1.0f;  // <= 0: greedy
  int32_t top_k = 0;         // 0: all
  float top_p = 1.0f;
  float min_p = 0.0f;
  float typical_p = 1.0f;
  float top_n_sigma = 0.0f;  // 0: off
  float xtc_probability = 0.0f;
  float xtc_threshold = 0.1f;
  int32_t repeat_last_n = 64;  // 0: off, -1: the whole context
  float repeat_penalty = 1.0f;
  float presence_penalty = 0.0f;
  float frequency_penalty = 0.0f;
  float dry_multiplier = 0.0f;  // 0: off
  float dry_base = 1.75f;
  int32_t dry_allowed_length = 2;
  int32_t dry_penalty_last_n = -1;
  std::vector<std::string> dry_sequence_breakers{"\n", ":", "\"", "*"};
  int32_t mirostat = 0;  // 0: off, 2: version 2
  float mirostat_tau = 5.0f;
  float mirostat_eta = 0.1f;
  std::map<int32_t, float> logit_bias;
  uint64_t seed = 0;  // the caller draws one at random when the user gave none
};

constexpr size_t kMaxDryBreakers = 64;
constexpr size_t kMaxDryBreakerBytes = 40;  // longer ones would make the look back quadratic

// Throws Error{invalid_argument} with the name, the value and the range of the first bad parameter.
void validate(const SamplerParams& params, int32_t n_vocab);

}  // namespace strata::inference
