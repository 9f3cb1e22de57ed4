#include "inference/bench.h"

#include <algorithm>
#include <chrono>
#include <vector>

namespace strata::inference {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// A pseudo-random token, the same each time.
int32_t token_at(int64_t index, int32_t n_vocab) {
  const uint64_t mixed = (static_cast<uint64_t>(index) + 1) * 0x9E3779B97F4A7C15ull;
  return static_cast<int32_t>((mixed >> 33) % static_cast<uint64_t>(n_vocab));
}

void prefill(Executor& executor, SequenceId sequence, int32_t n, int32_t chunk, int32_t n_vocab) {
  std::vector<Row> rows;
  for (int32_t begin = 0; begin < n; begin += chunk) {
    rows.clear();
    for (int32_t p = begin; p < std::min(n, begin + chunk); ++p) {
      rows.push_back({token_at(p, n_vocab), p, sequence, p + 1 == n});
    }
    executor.step(rows);
  }
}

double measure_decode(Executor& executor, int32_t n_vocab, const BenchCase& bench) {
  std::vector<Row> rows;
  for (int32_t i = 0; i < bench.batch; ++i) {
    const SequenceId sequence = executor.create_sequence();
    prefill(executor, sequence, bench.depth, bench.chunk, n_vocab);
    rows.push_back({token_at(bench.depth + i, n_vocab), bench.depth, sequence, true});
  }
  const auto begin = Clock::now();
  for (int32_t n = 0; n < bench.generate; ++n) {
    const auto logits = executor.step(rows);
    const auto width = static_cast<size_t>(n_vocab);
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto row = logits.subspan(i * width, width);
      rows[i].token = static_cast<int32_t>(std::max_element(row.begin(), row.end()) - row.begin());
      ++rows[i].position;
    }
  }
  const double seconds = seconds_since(begin);
  for (const Row& row : rows) executor.remove_sequence(row.sequence);
  return static_cast<double>(bench.generate) * static_cast<double>(bench.batch) / seconds;
}

}  // namespace

BenchResult measure_speed(Executor& executor, int32_t n_vocab, const BenchCase& bench) {
  BenchResult result;
  if (bench.prompt > 0) {
    const SequenceId sequence = executor.create_sequence();
    const auto begin = Clock::now();
    prefill(executor, sequence, bench.prompt, bench.chunk, n_vocab);
    result.prefill_tokens_per_second = bench.prompt / seconds_since(begin);
    executor.remove_sequence(sequence);
  }
  if (bench.generate > 0 && bench.batch > 0) {
    result.decode_tokens_per_second = measure_decode(executor, n_vocab, bench);
  }
  return result;
}

}  // namespace strata::inference
