#include "inference/memory.h"

#include <gtest/gtest.h>

#include "inference/executor.h"
#include "inference/head_screen.h"
#include "inference/kv_cache.h"
#include "inference/testing/tiny_model.h"

namespace strata::inference {
namespace {

using tensor::DType;

TEST(Memory, WindowedLayersStopGrowing) {
  TinyOptions options;
  options.windows = {0, 512};
  const auto model = tiny_model(options);
  const int64_t per_position = int64_t{2} * options.n_kv_heads * options.head_dim * 2;
  const auto kv_bytes = [&](int64_t positions) {
    return foretell_memory(model->spec, *model->file, positions, tensor::KvFormat::bf16).kv_bytes;
  };
  EXPECT_EQ(kv_bytes(512), 2 * 512 * per_position);
  const int64_t most = 512 + kWindowSlack + 2 * kBlockPositions;  // of the windowed layer
  EXPECT_LE(kv_bytes(8192), (8192 + most) * per_position);
  EXPECT_EQ(kv_bytes(16384) - kv_bytes(8192), 8192 * per_position);
}

TEST(Memory, LayersInSectionsStopGrowing) {
  TinyOptions options;
  options.windows = {0, 512};
  const auto kv_bytes = [&](bool sections) {
    options.sections = sections;
    const auto model = tiny_model(options);
    return foretell_memory(model->spec, *model->file, 8192, tensor::KvFormat::bf16).kv_bytes;
  };
  EXPECT_EQ(kv_bytes(true), kv_bytes(false));
}

TEST(Memory, KeysAndValuesAreForetoldInEachFormat) {
  TinyOptions options;
  options.head_dim = options.rope_dims = 40;  // kept as 48
  const auto model = tiny_model(options);
  for (const tensor::KvFormat kv :
       {tensor::KvFormat::bf16, tensor::KvFormat::int8, tensor::KvFormat::int4}) {
    const auto executor = make_fast_executor(model, {.n_threads = 1, .kv = kv});
    std::vector<Row> rows;
    const SequenceId sequence = executor->create_sequence();
    for (int32_t p = 0; p < kBlockPositions; ++p) rows.push_back({1, p, sequence, false});
    executor->step(rows);
    const int64_t held = executor->stats().kv_bytes_used;
    EXPECT_EQ(foretell_memory(model->spec, *model->file, kBlockPositions, kv).kv_bytes, held);
    EXPECT_EQ(kv_bytes_per_position(model->spec, kv) * kBlockPositions, held);
  }
}

TEST(Memory, LatentVectorsAreForetold) {
  TinyOptions options;
  options.n_latent = 64;
  options.rope_dims = 16;
  options.n_embd = 256;
  options.type = DType::q8_0;
  for (const bool transposed : {true, false}) {
    options.k_b_transposed = transposed;
    const auto model = tiny_model(options);
    for (const tensor::KvFormat kv : {tensor::KvFormat::bf16, tensor::KvFormat::int8}) {
      const auto executor = make_fast_executor(model, {.n_threads = 1, .kv = kv});
      std::vector<Row> rows;
      const SequenceId sequence = executor->create_sequence();
      for (int32_t p = 0; p < kBlockPositions; ++p) rows.push_back({1, p, sequence, false});
      executor->step(rows);
      const MemoryNeed need = foretell_memory(model->spec, *model->file, kBlockPositions, kv);
      EXPECT_EQ(need.kv_bytes, executor->stats().kv_bytes_used);
      EXPECT_EQ(need.kv_bytes, 2 * kBlockPositions * 2 * (64 + 16)) << "once, not for each head";
      const int64_t held = executor->stats().weight_bytes;
      EXPECT_GE(need.weight_bytes, held);
      EXPECT_LE(need.weight_bytes, held + held / 50);
    }
  }
}

TEST(Memory, StatesAreForetold) {
  TinyOptions options;
  options.n_state = 24;
  options.n_embd = 256;
  const auto model = tiny_model(options);
  const auto executor = make_fast_executor(model, {.n_threads = 1});
  const SequenceId sequence = executor->create_sequence();
  for (int32_t p = 0; p < 5 * kBlockPositions; ++p) {
    const Row row{1, p, sequence, false};
    executor->step(std::span(&row, 1));
    if (p % kBlockPositions != kBlockPositions - 1) continue;
    const MemoryNeed need =
        foretell_memory(model->spec, *model->file, p + 1, tensor::KvFormat::bf16);
    EXPECT_LE(executor->stats().kv_bytes_used, need.kv_bytes) << p;
    EXPECT_GE(2 * executor->stats().kv_bytes_used, need.kv_bytes) << p;
  }
  const int64_t held = executor->stats().weight_bytes;
  const int64_t foretold = packed_weight_bytes(model->spec, *model->file);
  EXPECT_GE(foretold, held);
  EXPECT_LE(foretold, held + held / 50) << "vectors and convolutions are floats, and counted";
}

// What is foretold is what the executor then holds, also for types that grow when packed.
class MemoryOfWeights : public ::testing::TestWithParam<DType> {};

TEST_P(MemoryOfWeights, IsForetold) {
  TinyOptions options;
  options.type = options.embedding_type = GetParam();
  options.n_vocab = 2048;
  options.n_embd = options.n_hidden = 512;
  options.n_heads = 16;
  for (const bool tied : {true, false}) {
    options.tied_head = tied;
    const auto model = tiny_model(options);
    const auto held = make_fast_executor(model, {.n_threads = 1})->stats().weight_bytes;
    const auto foretold = packed_weight_bytes(model->spec, *model->file);
    EXPECT_GE(foretold, held);
    const auto embedding =
        tied ? int64_t{0}
             : static_cast<int64_t>(tensor::bytes_of(GetParam(), uint64_t{2048} * 512));
    EXPECT_LE(foretold, held + embedding + held / 50);
  }
}

TEST(MemoryOfExperts, IsForetold) {
  TinyOptions options;
  options.n_embd = 256;
  options.n_experts = 64;
  options.n_used = 2;
  options.shared_expert = true;
  const auto model = tiny_model(options);
  const auto held = make_fast_executor(model, {.n_threads = 1})->stats().weight_bytes;
  const auto foretold = packed_weight_bytes(model->spec, *model->file);
  EXPECT_GE(foretold, held);
  EXPECT_LE(foretold, held + held / 50);
}

// One row is packed into a tile of many, and is no vector.
TEST(MemoryOfExperts, OfOneNumberIsForetold) {
  for (const int32_t n_experts : {0, 64}) {
    TinyOptions options;
    options.type = DType::bf16;
    options.n_embd = 256;
    options.n_hidden = 1;
    options.n_experts = n_experts;
    options.n_used = 2;
    const auto model = tiny_model(options);
    const auto held = make_fast_executor(model, {.n_threads = 1})->stats().weight_bytes;
    const auto foretold = packed_weight_bytes(model->spec, *model->file);
    EXPECT_GE(foretold, held) << n_experts;
    EXPECT_LE(foretold, held + held / 50) << n_experts;
  }
}

TEST(MemoryOfExperts, WorkGrowsWithTheExpertsOfARow) {
  const auto work_bytes = [](int32_t n_experts, int32_t n_used) {
    TinyOptions options;
    options.n_experts = n_experts;
    options.n_used = n_used;
    const auto model = tiny_model(options);
    return foretell_memory(model->spec, *model->file, 64, tensor::KvFormat::bf16).work_bytes;
  };
  const int64_t of_one = 288 * (128 * 4 + (128 + 64) * 2);  // rows * bytes
  EXPECT_EQ(work_bytes(6, 2) - work_bytes(0, 0), 2 * of_one);
  EXPECT_EQ(work_bytes(9, 5) - work_bytes(6, 2), 3 * of_one);
}

// Gates that biases or a limit keep from the matrices' own pass need their rows.
TEST(MemoryOfExperts, WorkGrowsWhereGatesStandApart) {
  const auto work_bytes = [](float limit) {
    TinyOptions options;
    options.n_experts = 6;
    options.n_used = 2;
    options.limit = limit;
    const auto model = tiny_model(options);
    return foretell_memory(model->spec, *model->file, 64, tensor::KvFormat::bf16).work_bytes;
  };
  EXPECT_EQ(work_bytes(1.0f) - work_bytes(0.0f), 2 * 288 * 128 * 4);  // used * rows * bytes
}

TEST(MemoryOfAScreenedHead, IsForetold) {
  TinyOptions options;
  options.n_vocab = 65536 + 5;
  const auto model = tiny_model(options);
  ASSERT_TRUE(is_screened(model->spec, DType::q8_0));
  const auto held = make_fast_executor(model, {.n_threads = 1})->stats().weight_bytes;
  const auto foretold = packed_weight_bytes(model->spec, *model->file);
  options.n_vocab = 65536 - 16;  // one that is not
  const auto plain = tiny_model(options);
  const int64_t difference =
      held - make_fast_executor(plain, {.n_threads = 1})->stats().weight_bytes;
  const int64_t foretold_difference = foretold - packed_weight_bytes(plain->spec, *plain->file);
  EXPECT_NEAR(static_cast<double>(foretold_difference), static_cast<double>(difference), 4096.0)
      << "whole pages are held";
}

INSTANTIATE_TEST_SUITE_P(Types, MemoryOfWeights,
                         ::testing::Values(DType::q4_1, DType::q4_k, DType::q6_k, DType::q8_0,
                                           DType::bf16, DType::f32, DType::q2_k, DType::q3_k),
                         [](const auto& test) {
                           return std::string(tensor::dtype_info(test.param).name);
                         });

}  // namespace
}  // namespace strata::inference
