// Cost of one choice from a vocabulary of 262,144 tokens, by kind of chain.
#include <benchmark/benchmark.h>

#include "inference/logprobs.h"
#include "inference/noise.h"
#include "inference/sampler.h"

namespace strata::inference {
namespace {

// A broad middle and a few dozen tokens that stand out, as in a model's answers.
std::vector<float> logits() {
  std::vector<float> result;
  for (uint64_t i = 0; i < 262144; ++i) {
    double sum = 0.0;
    for (uint64_t j = 0; j < 6; ++j) sum += uniform({j}, i) - 0.5;
    result.push_back(static_cast<float>(sum * 3.5 + (i % 7919 == 0 ? 12.0 : 0.0)));
  }
  return result;
}

void choose(benchmark::State& state, SamplerParams params) {
  const std::vector<float> row = logits();
  const std::vector<int32_t> past(500, 17);
  Sampler sampler(params, 0, nullptr);
  for (auto _ : state) benchmark::DoNotOptimize(sampler.sample(row, past));
}

SamplerParams changed(void (*change)(SamplerParams&)) {
  SamplerParams params;
  change(params);
  return params;
}

BENCHMARK_CAPTURE(choose, greedy, changed([](auto& p) { p.temperature = 0; }));
BENCHMARK_CAPTURE(choose, default_chain, changed([](auto& p) { p.top_k = 40, p.top_p = 0.9f; }));
BENCHMARK_CAPTURE(choose, with_penalties,
                  changed([](auto& p) { p.top_k = 40, p.repeat_penalty = 1.1f; }));
BENCHMARK_CAPTURE(choose, temperature_only, changed([](auto&) {}));
BENCHMARK_CAPTURE(choose, top_p_only, changed([](auto& p) { p.top_p = 0.9f; }));
BENCHMARK_CAPTURE(choose, min_p_only, changed([](auto& p) { p.min_p = 0.05f; }));
BENCHMARK_CAPTURE(choose, mirostat, changed([](auto& p) { p.mirostat = 2; }));
BENCHMARK_CAPTURE(choose, typical_only, changed([](auto& p) { p.typical_p = 0.9f; }));

void log_probabilities(benchmark::State& state) {
  const std::vector<float> row = logits();
  for (auto _ : state) benchmark::DoNotOptimize(logprobs(row, 5, 20));
}
BENCHMARK(log_probabilities);

}  // namespace
}  // namespace strata::inference
