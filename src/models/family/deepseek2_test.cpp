// Files with latent attention and experts in groups: which keys and tensors are read, and what is
// refused.
#include <cmath>

#include "models/family/weights.h"
#include "models/testing/broken_files.h"

namespace strata::models {
namespace {

const LatentAttention& attention(const ModelSpec& spec, size_t layer) {
  return std::get<LatentAttention>(spec.layers[layer].blocks[0].op);
}
const Moe& moe(const ModelSpec& spec, size_t layer) {
  return std::get<Moe>(spec.layers[layer].blocks[1].op);
}

TEST(FamilyDeepSeek, LatentAttention) {
  const ModelSpec lite = describe(fixture("deepseek2_lite"));
  const LatentAttention& op = attention(lite, 2);
  EXPECT_EQ(op.n_heads, 3);
  EXPECT_EQ(op.n_latent, 10);
  EXPECT_EQ(op.plain_dim, 6);
  EXPECT_EQ(op.value_dim, 5);
  EXPECT_EQ(op.rope.n_dims, 8);
  EXPECT_EQ(op.q_a.weight, kNoTensor);
  EXPECT_TRUE(op.k_b_transposed);
  EXPECT_EQ(op.rope.yarn.magnitude, 1.0f);
  const float magnitude = 1 + 0.0707f * std::log(4.0f);
  EXPECT_FLOAT_EQ(op.scale, magnitude * magnitude / std::sqrt(14.0f));
  EXPECT_NE(attention(describe(fixture("deepseek3")), 0).q_a.weight, kNoTensor);
}

TEST(FamilyDeepSeek, KeysAndValuesInOneTensor) {
  const auto bytes = fixture("deepseek2").build();
  const auto file = parse_gguf(bytes);
  const ModelSpec spec = describe_model(*file);
  const LatentAttention& op = attention(spec, 1);
  EXPECT_FALSE(op.k_b_transposed);
  EXPECT_EQ(op.plain_dim, 6);
  const auto stored = formula_weights("blk.1.attn_kv_b.weight", 10, 33);
  const auto weights = [&](TensorId id) {
    return dequantize(find_weight(*file, spec.tensors[static_cast<size_t>(id)]));
  };
  const auto keys = weights(op.k_b[2]), values = weights(op.v_b[2]);
  EXPECT_EQ(keys.size(), 60u);
  EXPECT_TRUE(std::equal(keys.begin(), keys.end(), stored.begin() + 2 * 11 * 10));
  EXPECT_TRUE(std::equal(values.begin(), values.end(), stored.begin() + (2 * 11 + 6) * 10));
}

TEST(FamilyDeepSeek, ExpertsInGroups) {
  const ModelSpec three = describe(fixture("deepseek3"));
  EXPECT_TRUE(std::holds_alternative<Mlp>(three.layers[0].blocks[1].op));
  const Moe& op = moe(three, 1);
  EXPECT_EQ(op.gating, Gating::sigmoid);
  EXPECT_NE(op.choice_bias, kNoTensor);
  EXPECT_TRUE(op.renormalized);
  EXPECT_EQ(op.scale, 2.5f);
  EXPECT_EQ(op.n_groups, 4);
  EXPECT_EQ(op.n_groups_used, 2);
  EXPECT_EQ(op.group_best, 2);
  const ModelSpec two = describe(fixture("deepseek2"));
  EXPECT_EQ(moe(two, 2).gating, Gating::softmax);
  EXPECT_EQ(moe(two, 2).group_best, 1);
  EXPECT_FALSE(moe(two, 2).renormalized);
  EXPECT_EQ(moe(describe(fixture("deepseek2_lite")), 2).shared->n_hidden, 2 * 14);
}

// As converters write them for models without groups.
TEST(FamilyDeepSeek, OneGroupIsNone) {
  GgufBuilder builder = fixture("deepseek2_lite");
  builder.set_u32("deepseek2.expert_group_count", 1);
  builder.set_u32("deepseek2.expert_group_used_count", 1);
  EXPECT_EQ(moe(describe(builder), 1).n_groups, 1);
}

TEST(FamilyHostile, LatentAttention) {
  const auto set = [](const char* key, uint32_t value) {
    return [=](GgufBuilder& b) { b.set_u32(key, value); };
  };
  expect_fixture_refused(
      "deepseek3",
      {{"no latent size", [](auto& b) { b.remove("deepseek2.attention.kv_lora_rank"); },
        "'deepseek2.attention.kv_lora_rank' is missing"},
       {"another latent size", set("deepseek2.attention.kv_lora_rank", 12),
        "'blk.0.attn_k_b.weight' has shape 7 x 11 x 3 x 1, expected 7 x 12 x 3"},
       {"2^31 latent numbers", set("deepseek2.attention.kv_lora_rank", 1u << 31),
        "deepseek2.attention.kv_lora_rank is 2147483648"},
       {"nothing but rotated dims", set("deepseek2.attention.key_length_mla", 8),
        "deepseek2.rope.dimension_count is 8, of heads of 8"},
       {"heads narrower than the rotated dims", set("deepseek2.attention.key_length_mla", 7),
        "deepseek2.rope.dimension_count is 8"},
       {"another width of values", set("deepseek2.attention.value_length_mla", 6),
        "'blk.0.attn_v_b.weight' has shape 11 x 5 x 3 x 1, expected 11 x 6 x 3"},
       {"more heads", set("deepseek2.attention.head_count", 4),
        "'blk.0.attn_k_b.weight' has shape 7 x 11 x 3 x 1, expected 7 x 11 x 4"},
       {"more heads than any model has",
        [](auto& b) {
          b.set_u32("deepseek2.attention.head_count", 4096);
          b.set_u32("deepseek2.block_count", 512);
        },
        "deepseek2.attention.head_count is 4096 in 512 layers, 4194304 matrices"},
       {"no keys of latent vectors", [](auto& b) { erase_tensor(b, "blk.1.attn_k_b.weight"); },
        "'blk.1.attn_k_b.weight' is missing"},
       {"both forms of keys and values",
        [](auto& b) { add_formula_tensor(b, "blk.1.attn_kv_b.weight", 11, 36); },
        "'blk.1.attn_k_b.weight', which"},
       {"another rank of queries", set("deepseek2.attention.q_lora_rank", 8),
        "'blk.0.attn_q_a.weight' has shape 30 x 9"},
       {"no rank of queries", [](auto& b) { b.remove("deepseek2.attention.q_lora_rank"); },
        "'blk.0.attn_q.weight' is missing"},
       {"a magnitude below zero",
        [](auto& b) { b.set_f32("deepseek2.rope.scaling.yarn_log_multiplier", -1); },
        "deepseek2.rope.scaling.yarn_log_multiplier is -1"},
       {"layers that foretell more tokens", set("deepseek2.nextn_predict_layers", 1),
        "deepseek2.nextn_predict_layers = 1, which is not supported"}});
}

TEST(FamilyHostile, ExpertsInGroups) {
  const auto set = [](const char* key, uint32_t value) {
    return [=](GgufBuilder& b) { b.set_u32(key, value); };
  };
  expect_fixture_refused(
      "deepseek3",
      {{"groups that differ in size", set("deepseek2.expert_group_count", 5),
        "deepseek2.expert_group_count is 5, for 12 experts"},
       {"more groups than experts", set("deepseek2.expert_group_count", 13),
        "deepseek2.expert_group_count is 13, not from 0 to 12"},
       {"more groups used than there are", set("deepseek2.expert_group_used_count", 5),
        "deepseek2.expert_group_used_count is 5, not from 1 to 4"},
       {"more experts used than the groups have",
        [](auto& b) { b.set_u32("deepseek2.expert_used_count", 7); }, "for 7 of 12 experts"},
       {"groups of one, ranked by two", set("deepseek2.expert_group_count", 12),
        "deepseek2.expert_group_count is 12"},
       {"another gating", set("deepseek2.expert_gating_func", 4), "expert_gating_func = 4"},
       {"more dense layers than layers", set("deepseek2.leading_dense_block_count", 4),
        "deepseek2.leading_dense_block_count is 4, not from 0 to 3"},
       {"fewer dense layers", set("deepseek2.leading_dense_block_count", 0),
        "'blk.0.ffn_gate_exps.weight' is missing"},
       {"a bias too short", [](auto& b) { replace_shape(b, "blk.1.exp_probs_b.bias", 11, 1); },
        "'blk.1.exp_probs_b.bias' has shape 11"},
       {"more shared experts", set("deepseek2.expert_shared_count", 2),
        "'blk.1.ffn_gate_shexp.weight' has shape 30 x 14 x 1 x 1, expected 30 x 28"},
       {"4097 shared experts", set("deepseek2.expert_shared_count", 4097), "not from 0 to 4096"},
       {"no shared expert counted", set("deepseek2.expert_shared_count", 0),
        "'blk.1.ffn_gate_shexp.weight', which"}});
  expect_fixture_refused("mixtral",
                         {{"a bias of the choice in a family without",
                           [](auto& b) { add_formula_tensor(b, "blk.0.exp_probs_b.bias", 5, 1); },
                           "'blk.0.exp_probs_b.bias', which"}});
}

}  // namespace
}  // namespace strata::models
