#include "inference/bench.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "core/check.h"
#include "inference/candidates.h"
#include "inference/noise.h"

namespace strata::inference {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int32_t kDepthChunk = 512;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

constexpr int32_t kLookedAt = 40;  // logits: what the product's sampler looks at, top-k 40

int32_t random_token(uint64_t round, SequenceId sequence, int32_t position, int32_t n_vocab) {
  const uint64_t place = (static_cast<uint64_t>(sequence) << 32) + static_cast<uint64_t>(position);
  return static_cast<int32_t>(mix64(mix64(round) + place) % static_cast<uint64_t>(n_vocab));
}

// The token behind n random ones.
int32_t prefill(Executor& executor, SequenceId sequence, const PromptCase& bench, int32_t n_vocab,
                uint64_t round) {
  std::vector<Row> rows;
  std::span<const float> logits;
  for (int32_t begin = 0; begin < bench.n_tokens; begin += bench.chunk) {
    rows.clear();
    for (int32_t p = begin; p < std::min(bench.n_tokens, begin + bench.chunk); ++p) {
      rows.push_back(
          {random_token(round, sequence, p, n_vocab), p, sequence, p + 1 == bench.n_tokens});
    }
    logits = executor.step(rows);
  }
  return logits.empty() ? 0 : argmax(logits);
}

}  // namespace

double measure_prompt(Executor& executor, int32_t n_vocab, const PromptCase& bench,
                      uint64_t round) {
  const SequenceId sequence = executor.create_sequence(bench.n_tokens);
  const auto begin = Clock::now();
  const int32_t first = prefill(executor, sequence, bench, n_vocab, round);
  const double seconds = seconds_since(begin);
  CHECK(first >= 0);
  executor.remove_sequence(sequence);
  return seconds;
}

double measure_generate(Executor& executor, int32_t n_vocab, const GenerateCase& bench,
                        std::span<const int32_t> text, uint64_t round) {
  CHECK(!text.empty());
  std::vector<Row> rows;
  for (int32_t i = 0; i < bench.batch; ++i) {
    const SequenceId sequence = executor.create_sequence(bench.depth + bench.n_tokens);
    prefill(executor, sequence, {bench.depth, kDepthChunk}, n_vocab, round);
    rows.push_back({0, bench.depth, sequence, true, kLookedAt});
  }
  const auto width = static_cast<size_t>(n_vocab);
  const auto begin = Clock::now();
  for (int32_t n = 0; n < bench.n_tokens; ++n) {
    for (size_t i = 0; i < rows.size(); ++i) {
      rows[i].token = text[(static_cast<size_t>(n) + 97 * i) % text.size()];
    }
    const auto logits = executor.step(rows);
    for (size_t i = 0; i < rows.size(); ++i) {
      CHECK(argmax(logits.subspan(i * width, width)) >= 0);
      ++rows[i].position;
    }
  }
  const double seconds = seconds_since(begin);
  for (const Row& row : rows) executor.remove_sequence(row.sequence);
  return static_cast<double>(bench.n_tokens) * static_cast<double>(bench.batch) / seconds;
}

}  // namespace strata::inference
