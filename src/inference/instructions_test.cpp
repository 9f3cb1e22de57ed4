// Steps whose instructions tests/counters/instructions.py counts: under callgrind it collects what
// runs between the two marks. Without it they are steps like others.
#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_STOP_INSTRUMENTATION
#endif

#include "inference/executor.h"
#include "inference/testing/tiny_model.h"

namespace strata::inference {
namespace {

constexpr int32_t kHeld = 64;  // positions that each sequence has before

// Two layers of SmolLM2-135M's shape, and of Gemma 3 270M's, with small vocabularies.
TinyOptions smollm2() {
  TinyOptions options;
  options.type = tensor::DType::q4_1;
  options.n_vocab = 2048;
  options.n_embd = 576;
  options.n_hidden = 1536;
  options.n_heads = 9;
  options.n_kv_heads = 3;
  options.head_dim = options.rope_dims = 64;
  options.windows = {0, 0};
  return options;
}
TinyOptions gemma3() {
  TinyOptions options;
  options.type = tensor::DType::q5_0;
  options.n_vocab = 2048;
  options.n_embd = 640;
  options.n_hidden = 2048;
  options.n_heads = 4;
  options.n_kv_heads = 1;
  options.head_dim = options.rope_dims = 256;
  options.windows = {0, 512};
  options.activation = models::Activation::gelu_tanh;
  options.qk_norm = options.post_norms = true;
  return options;
}

void count_step(const TinyOptions& options, int32_t n_sequences, int32_t n_rows) {
  const auto executor =
      make_fast_executor(tiny_model(options), {.n_threads = 1, .n_positions_limit = 2048});
  std::vector<SequenceId> sequences;
  for (int32_t i = 0; i < n_sequences; ++i) sequences.push_back(executor->create_sequence());
  const auto rows_of = [&](int32_t n) {
    std::vector<Row> rows;
    for (const SequenceId sequence : sequences) {
      const int32_t begin = executor->length(sequence);
      for (int32_t i = 0; i < n; ++i) {
        rows.push_back({(100 + begin + i) % options.n_vocab, begin + i, sequence, i + 1 == n});
      }
    }
    return rows;
  };
  executor->step(rows_of(kHeld));
  executor->step(rows_of(n_rows));  // makes the buffers large enough
  const auto rows = rows_of(n_rows);
  CALLGRIND_START_INSTRUMENTATION;
  const auto logits = executor->step(rows);
  CALLGRIND_STOP_INSTRUMENTATION;
  EXPECT_TRUE(std::ranges::all_of(logits, [](float value) { return std::isfinite(value); }));
}

TEST(Instructions, OfOneRow) {
  count_step(smollm2(), 1, 1);
}

TEST(Instructions, OfAPieceOfAPrompt) {
  count_step(smollm2(), 1, 64);
}

TEST(Instructions, OfEightSequences) {
  count_step(gemma3(), 8, 1);
}

}  // namespace
}  // namespace strata::inference
