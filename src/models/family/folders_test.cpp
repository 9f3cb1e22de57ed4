// Folders of families with layers of many shapes: what is left out, and what is refused.
#include <vector>

#include <gmock/gmock.h>

#include "models/testing/fixture_folder.h"

namespace strata::models {
namespace {

using ::testing::HasSubstr;

struct Broken {
  const char* field;
  json::value value;
  const char* message;  // part of it
};

void expect_refused(const std::string& name, const std::vector<Broken>& cases) {
  EXPECT_EQ(FixtureFolder(name).refusal(), "") << name;
  for (const Broken& entry : cases) {
    FixtureFolder folder(name);
    folder.config[entry.field] = entry.value;
    EXPECT_THAT(folder.refusal(), HasSubstr(entry.message)) << name << " " << entry.field;
  }
}

TEST(FoldersOfDeepSeek, AreRefusedWhereTheyAskForMore) {
  expect_refused("hf_deepseek3", {{"rope_interleave", false, "rope_interleave"},
                                  {"scoring_func", "softmax", "scoring_func"},
                                  {"topk_method", "greedy", "topk_method"},
                                  {"kv_lora_rank", nullptr, "'kv_lora_rank' is missing"},
                                  {"kv_lora_rank", 12, "kv_b"},
                                  {"qk_nope_head_dim", 8, "kv_b_proj"},
                                  {"v_head_dim", 0, "'v_head_dim' is 0"},
                                  {"moe_layer_freq", 2, "moe_layer_freq"},
                                  {"n_group", 5, "expert_group_count"},
                                  {"first_k_dense_replace", 0, "model.layers.0.mlp"},
                                  {"hidden_act", "gelu", "gelu"}});
  expect_refused("hf_deepseek2", {{"norm_topk_prob", true, "norm_topk_prob"},
                                  {"scoring_func", "sigmoid", "scoring_func"}});
}

TEST(FoldersOfDeepSeek, LeaveOutTheLayersThatGuessFurther) {
  FixtureFolder folder("hf_deepseek3");
  EXPECT_EQ(folder.open()->find_tensor("blk.3.nextn.eh_proj.weight"), nullptr);
  folder.config["num_nextn_predict_layers"] = 0;
  EXPECT_THAT(folder.refusal(), HasSubstr("model.layers.3."));
}

TEST(FoldersOfHybrids, AreRefusedWhereTheyAskForMore) {
  expect_refused("hf_granitehybrid",
                 {{"layer_types", {"mamba", "attention"}, "'layer_types' has 2 entries"},
                  {"layer_types", {"mamba", "convolution", "mamba"}, "convolution"},
                  {"layer_types", {"mamba", "mamba", "mamba"}, "layers.1.mamba"},
                  {"position_embedding_type", "rope", "position_embedding_type"},
                  {"time_step_limit", {0.0, 1.0}, "time_step_limit"},
                  {"time_step_limit", {0.1, {{"__float__", "Infinity"}}}, "time_step_limit"},
                  {"mamba_n_heads", 0, "mamba_n_heads"},
                  {"mamba_n_heads", 7, "A_log"},
                  {"mamba_d_state", 8, "conv1d"},
                  {"mamba_n_groups", 7, "conv1d"}});
}

TEST(FoldersOfOpenElm, AreRefusedWhereTheyAskForMore) {
  expect_refused("hf_openelm", {{"num_query_heads", {3, 6}, "'num_query_heads' has 2 entries"},
                                {"num_query_heads", {3, 6.5, 4}, "holds 6.5"},
                                {"num_kv_heads", {2, 2, 2}, "can't share"},
                                {"num_kv_heads", 2, "num_kv_heads"},
                                {"ffn_multipliers", {0.5, -1.0, 1.45}, "ffn_multipliers"},
                                {"ffn_multipliers", {0.5, 1.45, 1.45}, "layers.1.ffn"},
                                {"ffn_dim_divisor", 0, "ffn_dim_divisor"},
                                {"ffn_with_glu", false, "ffn_with_glu"},
                                {"activation_fn_name", "gelu", "gelu"},
                                {"normalize_qk_projections", false, "normalize_qk_projections"}});
}

TEST(FoldersOfDeci, HaveLayersWithoutAttentionAndWithoutAll) {
  const ModelSpec spec = describe_model(*FixtureFolder("hf_deci").open());
  EXPECT_EQ(std::get<Attention>(spec.layers[0].blocks[0].op).n_kv_heads, 3);
  EXPECT_TRUE(std::holds_alternative<Projection>(spec.layers[1].blocks[0].op));
  EXPECT_EQ(std::get<Attention>(spec.layers[2].blocks[0].op).n_kv_heads, 1);
  ASSERT_EQ(spec.layers[3].blocks.size(), 1u);
  EXPECT_EQ(std::get<Mlp>(spec.layers[3].blocks[0].op).n_hidden, 256);
  EXPECT_TRUE(spec.layers[4].blocks.empty());
}

TEST(FoldersOfDeci, AreRefusedWhereTheyAskForMore) {
  const auto change = [](size_t layer, const char* part, const char* field, json::value value) {
    json::value blocks = FixtureFolder("hf_deci").config.at("block_configs");
    blocks.as_array()[layer].as_object()[part].as_object()[field] = std::move(value);
    return blocks;
  };
  expect_refused(
      "hf_deci",
      {{"block_configs", json::array{}, "'block_configs' has not an entry"},
       {"block_configs", {1, 2, 3, 4, 5}, "layer 0 has no 'attention'"},
       {"block_configs", change(0, "attention", "n_heads_in_group", 4), "'n_heads_in_group' 4"},
       {"block_configs", change(0, "attention", "n_heads_in_group", 6), "k_proj"},
       {"block_configs", change(0, "attention", "window_length", 64), "window_length"},
       {"block_configs", change(0, "attention", "no_op", true), "does not use"},
       {"block_configs", change(2, "attention", "replace_with_linear", true), "does not use"},
       {"block_configs", change(2, "ffn", "replace_with_linear", true), "mlp.down_proj"},
       {"block_configs", change(2, "ffn", "sparsify", true), "sparsify"},
       {"block_configs", change(2, "ffn", "ffn_mult", 1e30), "ffn_mult"},
       {"block_configs", change(2, "ffn", "ffn_mult", 12.0), "mlp"}});
}

}  // namespace
}  // namespace strata::models
