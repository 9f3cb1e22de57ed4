#include "inference/memory.h"

#include <gtest/gtest.h>

namespace strata::inference {
namespace {

TEST(Memory, WindowedLayersStopGrowing) {
  models::ModelSpec spec;
  models::Attention full;
  full.n_kv_heads = 2;
  full.head_dim = 64;
  models::Attention windowed = full;
  windowed.window = 512;
  for (const auto& attention : {full, windowed}) {
    models::Block block;
    block.op = attention;
    spec.layers.push_back({{block}});
  }
  const int64_t per_position = 2 * 2 * 64 * 2;
  EXPECT_EQ(foretell_memory(spec, 0, 512).kv_bytes, 2 * 512 * per_position);
  EXPECT_EQ(foretell_memory(spec, 0, 8192).kv_bytes, (8192 + 576) * per_position);
}

}  // namespace
}  // namespace strata::inference
