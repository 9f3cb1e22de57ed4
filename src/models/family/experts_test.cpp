// Files with experts: which keys and tensors are read, and what is refused.
#include "models/family/experts.h"

#include "models/family/weights.h"
#include "models/format/gguf.h"
#include "models/testing/broken_files.h"

namespace strata::models {
namespace {

const Moe& moe(const ModelSpec& spec, size_t layer) {
  return std::get<Moe>(spec.layers[layer].blocks[1].op);
}

TEST(FamilyExperts, Mixtral) {
  for (const char* name : {"mixtral", "mixtral_split"}) {
    const auto bytes = fixture(name).build();
    const auto file = parse_gguf(bytes);
    const ModelSpec spec = describe_model(*file);
    const auto& op = moe(spec, 1);
    EXPECT_EQ(op.n_used, 2);
    EXPECT_TRUE(op.renormalized);
    ASSERT_EQ(op.experts.size(), 5u);
    EXPECT_EQ(op.experts[3].n_hidden, 22);
    const auto id = static_cast<size_t>(op.experts[3].down.weight);
    const auto expert = dequantize(find_weight(*file, spec.tensors[id]));
    const bool split = std::string(name) == "mixtral_split";
    EXPECT_EQ(op.scale, split ? 1.5f : 1.0f);
    const auto stored = split ? formula_weights("blk.1.ffn_down.3.weight", 22, 30)
                              : formula_weights("blk.1.ffn_down_exps.weight", 22, 150);
    EXPECT_TRUE(
        std::equal(expert.begin(), expert.end(), stored.begin() + (split ? 0 : 3 * 22 * 30)));
  }
}

TEST(FamilyExperts, ATokenReadsItsExpertsOnly) {
  const ExpertFacts facts = expert_facts(describe(fixture("mixtral")));
  EXPECT_EQ(facts.n_experts, 5);
  EXPECT_EQ(facts.n_used, 2);
  EXPECT_EQ(facts.n_idle_weights, 2 * 3 * 3 * 22 * 30);  // layers, experts, matrices
  EXPECT_EQ(expert_facts(describe(fixture("llama"))).n_experts, 0);
  EXPECT_EQ(expert_facts(describe(fixture("llama"))).n_idle_weights, 0);
}

TEST(FamilyExperts, QwenWithExperts) {
  const ModelSpec shared = describe(fixture("qwen2moe"));
  const auto& op = moe(shared, 0);
  EXPECT_EQ(shared.family, "qwen2moe");
  EXPECT_FALSE(op.renormalized);
  EXPECT_EQ(op.experts[0].n_hidden, 14);
  ASSERT_TRUE(op.shared);
  EXPECT_EQ(op.shared->n_hidden, 22);
  EXPECT_NE(op.shared_gate, kNoTensor);
  const ModelSpec plain = describe(fixture("qwen3moe"));
  EXPECT_TRUE(moe(plain, 0).renormalized);
  EXPECT_FALSE(moe(plain, 0).shared);
  EXPECT_EQ(std::get<Attention>(plain.layers[0].blocks[0].op).q_norm.kind, NormKind::rms);
}

// Files of Qwen from before the widths of experts had keys of their own.
TEST(FamilyExperts, QwensWidthsAreThoseOfTheDenseModelWhereNotGiven) {
  for (const bool zero : {false, true}) {
    const auto unset = [&](GgufBuilder& builder, const char* key) {
      builder.remove(key);
      if (zero) builder.set_u32(key, 0);
    };
    for (const std::string name : {"qwen2moe", "qwen3moe"}) {
      GgufBuilder builder = fixture(name);
      unset(builder, (name + ".expert_feed_forward_length").c_str());
      builder.set_u32(name + ".feed_forward_length", 43);  // over 3 experts
      EXPECT_EQ(describe_error(builder), "") << name;
      EXPECT_EQ(moe(describe(builder), 1).experts[2].n_hidden, 14);
    }
    GgufBuilder builder = fixture("qwen2moe");
    unset(builder, "qwen2moe.expert_shared_feed_forward_length");
    builder.set_u32("qwen2moe.feed_forward_length", 22);
    EXPECT_EQ(describe_error(builder), "");
    EXPECT_EQ(moe(describe(builder), 1).shared->n_hidden, 22);
  }
}

TEST(FamilyHostile, ExpertsInAFamilyWithoutAny) {
  expect_fixture_refused("gemma3",
                         {{"experts", [](auto& b) { b.set_u32("gemma3.expert_count", 8); },
                           "expert_count = 8, which is not supported yet"}});
}

TEST(FamilyHostile, Experts) {
  const auto set = [](const char* key, uint32_t value) {
    return [=](GgufBuilder& b) { b.set_u32(key, value); };
  };
  expect_fixture_refused(
      "mixtral",
      {{"more experts than the tensors have", set("llama.expert_count", 6),
        "'blk.0.ffn_gate_exps.weight' has shape 30 x 22 x 5 x 1, expected 30 x 22 x 6"},
       {"fewer", set("llama.expert_count", 4), "'blk.0.ffn_gate_exps.weight' has shape"},
       {"2^31 experts", set("llama.expert_count", 1u << 31), "llama.expert_count is 2147483648"},
       {"-1 experts", [](auto& b) { b.set_i32("llama.expert_count", -1); },
        "llama.expert_count is -1"},
       {"4097 experts", set("llama.expert_count", 4097), "not from 0 to 4096"},
       {"0 used", set("llama.expert_used_count", 0), "llama.expert_used_count is 0"},
       {"more used than there are", set("llama.expert_used_count", 6),
        "llama.expert_used_count is 6, not from 1 to 5"},
       {"no count of those used", [](auto& b) { b.remove("llama.expert_used_count"); },
        "'llama.expert_used_count' is missing"},
       {"no experts counted", set("llama.expert_count", 0), "llama.expert_used_count = 2"},
       {"sigmoid routing", set("llama.expert_gating_func", 2), "expert_gating_func = 2"},
       {"weights as they are", [](auto& b) { b.set_bool("llama.expert_weights_norm", false); },
        "expert_weights_norm = 0"},
       {"a scale below zero", [](auto& b) { b.set_f32("llama.expert_weights_scale", -1); },
        "expert_weights_scale is -1"},
       {"another width", set("llama.expert_feed_forward_length", 23), "expected 30 x 23 x 5"},
       {"width 0", set("llama.expert_feed_forward_length", 0), "feed_forward_length is 0"},
       {"no router", [](auto& b) { erase_tensor(b, "blk.1.ffn_gate_inp.weight"); },
        "'blk.1.ffn_gate_inp.weight' is missing"},
       {"a router for fewer", [](auto& b) { replace_shape(b, "blk.1.ffn_gate_inp.weight", 30, 4); },
        "'blk.1.ffn_gate_inp.weight' has shape 30 x 4"},
       {"no up", [](auto& b) { erase_tensor(b, "blk.0.ffn_up_exps.weight"); },
        "'blk.0.ffn_up_exps.weight' is missing"},
       {"down transposed",
        [](auto& b) { b.find_tensor("blk.0.ffn_down_exps.weight")->shape = {30, 22, 5}; },
        "'blk.0.ffn_down_exps.weight' has shape 30 x 22 x 5"},
       {"experts in the rows",
        [](auto& b) { b.find_tensor("blk.0.ffn_up_exps.weight")->shape = {30, 110}; },
        "'blk.0.ffn_up_exps.weight' has shape 30 x 110"},
       {"four dimensions",
        [](auto& b) { b.find_tensor("blk.0.ffn_up_exps.weight")->shape = {30, 2, 11, 5}; },
        "'blk.0.ffn_up_exps.weight' has shape 30 x 2 x 11 x 5"},
       {"biases of fewer experts",
        [](auto& b) { add_formula_tensor(b, "blk.0.ffn_up_exps.bias", 22, 4); },
        "'blk.0.ffn_up_exps.bias' has shape 22 x 4 x 1 x 1, expected 22 x 5"}});
  expect_fixture_refused(
      "mixtral_split",
      {{"one expert lacks", [](auto& b) { erase_tensor(b, "blk.1.ffn_up.2.weight"); },
        "'blk.1.ffn_up.2.weight' is missing"},
       {"no first expert", [](auto& b) { erase_tensor(b, "blk.1.ffn_up.0.weight"); },
        "'blk.1.ffn_up_exps.weight' is missing"},
       {"one expert too many",
        [](auto& b) { add_formula_tensor(b, "blk.1.ffn_up.5.weight", 30, 22); },
        "'blk.1.ffn_up.5.weight', which"},
       {"one of another width", [](auto& b) { replace_shape(b, "blk.1.ffn_up.2.weight", 30, 21); },
        "'blk.1.ffn_up.2.weight' has shape 30 x 21"}});
}

TEST(FamilyHostile, SharedExperts) {
  expect_fixture_refused(
      "qwen2moe",
      {{"no shared expert", [](auto& b) { erase_tensor(b, "blk.0.ffn_up_shexp.weight"); },
        "'blk.0.ffn_up_shexp.weight' is missing"},
       {"no gate of it", [](auto& b) { erase_tensor(b, "blk.1.ffn_gate_inp_shexp.weight"); },
        "'blk.1.ffn_gate_inp_shexp.weight' is missing"},
       {"no width of it", [](auto& b) { b.remove("qwen2moe.expert_shared_feed_forward_length"); },
        "'blk.0.ffn_gate_shexp.weight' has shape 40 x 22 x 1 x 1, expected 40 x 36"},
       {"experts of less than one number",
        [](auto& b) {
          b.remove("qwen2moe.expert_feed_forward_length");
          b.set_u32("qwen2moe.feed_forward_length", 2);
        },
        "qwen2moe.feed_forward_length is 2, too little for 3 experts"},
       {"a bias", [](auto& b) { add_formula_tensor(b, "blk.1.ffn_gate_shexp.bias", 22, 1); },
        "'blk.1.ffn_gate_shexp.bias', which"},
       {"another width",
        [](auto& b) { b.set_u32("qwen2moe.expert_shared_feed_forward_length", 23); },
        "'blk.0.ffn_gate_shexp.weight' has shape 40 x 22"},
       {"a gate too short",
        [](auto& b) { replace_shape(b, "blk.1.ffn_gate_inp_shexp.weight", 39, 1); },
        "'blk.1.ffn_gate_inp_shexp.weight' has shape 39"}});
  expect_fixture_refused(
      "granitemoe",
      {{"a shared expert that is not announced",
        [](auto& b) { b.set_u32("granitemoe.expert_shared_feed_forward_length", 0); },
        "'blk.0.ffn_gate_shexp.weight', which"},
       {"logits over zero", [](auto& b) { b.set_f32("granitemoe.logit_scale", 0); },
        "granitemoe.logit_scale is 0"},
       {"no positions", [](auto& b) { b.set_bool("granitemoe.rope.scaling.finetuned", false); },
        "rope.scaling.finetuned = 0"}});
}

// A small file may name as many experts in as many layers as it likes: tensors may overlap.
TEST(FamilyHostile, MoreExpertsThanAnyModelHas) {
  expect_fixture_refused("mixtral",
                         {{"in all layers together",
                           [](auto& b) {
                             b.set_u32("llama.block_count", 512);
                             b.set_u32("llama.expert_count", 4096);
                           },
                           "llama.expert_count is 4096 in 512 layers, 6291456 matrices, the limit "
                           "is 131072"}});
}

TEST(FamilyHostile, KeysOfExpertsInADenseFile) {
  for (const std::string prefix : {"llama", "qwen2", "qwen3", "granite"}) {
    expect_fixture_refused(
        prefix,
        {{"a count of those used", [=](auto& b) { b.set_u32(prefix + ".expert_used_count", 2); },
          prefix + ".expert_used_count = 2"},
         {"a count of those used of none",
          [=](auto& b) {
            b.set_u32(prefix + ".expert_count", 0);
            b.set_u32(prefix + ".expert_used_count", 2);
          },
          prefix + ".expert_used_count = 2"},
         {"a scale of their weights",
          [=](auto& b) { b.set_f32(prefix + ".expert_weights_scale", 2.5f); },
          prefix + ".expert_weights_scale = 2.5"}});
  }
}

TEST(FamilyHostile, GateAndUpOfExpertsInOneTensor) {
  expect_fixture_refused("qwen3moe", {{"fused",
                                       [](auto& b) {
                                         erase_tensor(b, "blk.0.ffn_up_exps.weight");
                                         erase_tensor(b, "blk.0.ffn_gate_exps.weight");
                                         add_formula_tensor(b, "blk.0.ffn_gate_up_exps.weight", 30,
                                                            28 * 7);
                                       },
                                       "a tensor 'blk.0.ffn_gate_up_exps.weight'"}});
}

}  // namespace
}  // namespace strata::models
