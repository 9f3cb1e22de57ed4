// Files of hybrids: which layers are state spaces, and what is refused.
#include "models/testing/broken_files.h"

namespace strata::models {
namespace {

TEST(FamilyStateSpaces, GraniteHybrids) {
  const ModelSpec spec = describe(fixture("granitehybrid_experts"));
  const auto* op = std::get_if<StateSpace>(&spec.layers[0].blocks[0].op);
  ASSERT_NE(op, nullptr);
  EXPECT_EQ(op->n_heads, 6);
  EXPECT_EQ(op->head_dim, 10);
  EXPECT_EQ(op->n_state, 7);
  EXPECT_EQ(op->n_groups, 2);
  EXPECT_EQ(op->n_taps, 4);
  EXPECT_NE(op->tap_bias, kNoTensor);
  EXPECT_EQ(op->channels(), 60 + 2 * 2 * 7);
  const auto* attention = std::get_if<Attention>(&spec.layers[1].blocks[0].op);
  ASSERT_NE(attention, nullptr);
  EXPECT_EQ(attention->rope.kind, RopeKind::none);
  EXPECT_EQ(spec.layers[0].blocks[0].scale, 0.3f);
  EXPECT_TRUE(std::get<Moe>(spec.layers[2].blocks[1].op).shared);
  const ModelSpec dense = describe(fixture("granitehybrid"));
  EXPECT_EQ(std::get<Mlp>(dense.layers[2].blocks[1].op).n_hidden, 18);
}

TEST(FamilyHostile, StateSpaces) {
  const auto set = [](const char* key, uint32_t value) {
    return [=](GgufBuilder& b) { b.set_u32(key, value); };
  };
  expect_fixture_refused(
      "granitehybrid",
      {{"no state size", [](auto& b) { b.remove("granitehybrid.ssm.state_size"); },
        "'granitehybrid.ssm.state_size' is missing"},
       {"another state size", set("granitehybrid.ssm.state_size", 8),
        "'blk.0.ssm_in.weight' has shape"},
       {"a state of 2^31", set("granitehybrid.ssm.state_size", 1u << 31),
        "granitehybrid.ssm.state_size is 2147483648"},
       {"heads that do not divide", set("granitehybrid.ssm.time_step_rank", 7),
        "granitehybrid.ssm.inner_size is 60, for 7 heads in 1 groups"},
       {"groups that do not divide", set("granitehybrid.ssm.group_count", 4),
        "for 6 heads in 4 groups"},
       {"another inner size", set("granitehybrid.ssm.inner_size", 66),
        "'blk.0.ssm_in.weight' has shape"},
       {"65 taps", set("granitehybrid.ssm.conv_kernel", 65),
        "granitehybrid.ssm.conv_kernel is 65, not from 1 to 64"},
       {"fewer taps", set("granitehybrid.ssm.conv_kernel", 3),
        "'blk.0.ssm_conv1d.weight' has shape 4 x 74"},
       {"no rates", [](auto& b) { erase_tensor(b, "blk.2.ssm_a"); }, "'blk.2.ssm_a' is missing"},
       {"no bias of steps", [](auto& b) { erase_tensor(b, "blk.0.ssm_dt.bias"); },
        "'blk.0.ssm_dt.bias' is missing"},
       {"a norm in two parts",
        [](auto& b) { b.find_tensor("blk.0.ssm_norm.weight")->shape = {30, 2}; },
        "'blk.0.ssm_norm.weight' has shape 30 x 2"},
       {"rotary positions",
        [](auto& b) { b.set_bool("granitehybrid.rope.scaling.finetuned", true); },
        "granitehybrid.rope.scaling.finetuned = 1, which is not supported"},
       {"attention where there is a state space",
        [](auto& b) { b.set_i32s("granitehybrid.attention.head_count_kv", {1, 1, 0}); },
        "'blk.0.attn_q.weight' is missing"},
       {"KV heads of two layers only",
        [](auto& b) { b.set_i32s("granitehybrid.attention.head_count_kv", {0, 1}); },
        "has 2 entries for 3 layers"}});
  expect_fixture_refused("granite",
                         {{"a layer without KV heads",
                           [](auto& b) { b.set_u32("granite.attention.head_count_kv", 0); },
                           "granite.attention.head_count_kv is 0"}});
}

}  // namespace
}  // namespace strata::models
