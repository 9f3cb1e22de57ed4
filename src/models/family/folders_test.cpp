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

json::object renamed(const json::object& tensors, std::string_view from, std::string_view to) {
  json::object out;
  for (const auto& [key, shape] : tensors) {
    const std::string_view name = key;
    const bool begins = name.starts_with(from);
    out[begins ? std::string(to) + std::string(name.substr(from.size())) : std::string(name)] =
        shape;
  }
  return out;
}

// A fixture's model among other parts, as models that see are published; of the text's
// configuration without what the class has anyway.
void put_among_parts(FixtureFolder& folder, std::string_view hf_class) {
  folder.tensors = renamed(folder.tensors, "model.", "language_model.model.");
  folder.tensors["vision_tower.post_layernorm.weight"] = json::array{8};
  folder.tensors["multi_modal_projector.mm_soft_emb_norm.weight"] = json::array{8};
  json::object text = std::move(folder.config);
  for (const char* field : {"rope_parameters", "query_pre_attn_scalar"}) text.erase(field);
  folder.config = {{"architectures", json::array{hf_class}}, {"text_config", std::move(text)}};
}

TEST(FoldersOfModelsThatSee, AreReadAsTheirTextModel) {
  FixtureFolder folder("hf_gemma3");
  put_among_parts(folder, "Gemma3ForConditionalGeneration");
  folder.config["text_config"].as_object()["rope_scaling"] = {{"factor", 8.0},
                                                              {"rope_type", "linear"}};
  const ModelSpec spec = describe_model(*folder.open());
  const auto& windowed = std::get<Attention>(spec.layers[0].blocks[0].op);
  const auto& full = std::get<Attention>(spec.layers[5].blocks[0].op);
  EXPECT_EQ(windowed.window, 5);
  EXPECT_EQ(windowed.rope.base, 10000.0f);
  EXPECT_EQ(windowed.rope.position_scale, 1.0f);
  EXPECT_EQ(full.window, 0);
  EXPECT_EQ(full.rope.base, 1000000.0f);
  EXPECT_EQ(full.rope.position_scale, 0.125f);
  EXPECT_EQ(full.scale, 1.0f / 16) << "of the class's width 256";
  folder.config["text_config"].as_object().erase("num_attention_heads");
  EXPECT_THAT(folder.refusal(), HasSubstr("self_attn.q_proj")) << "8 heads";
}

// Newer programs write the parts in another order of names, and the head beside them.
TEST(FoldersOfModelsThatSee, AreReadByNewerNamesToo) {
  FixtureFolder folder("hf_gemma3");
  put_among_parts(folder, "Gemma3ForConditionalGeneration");
  json::object& tensors = folder.tensors;
  tensors = renamed(tensors, "language_model.model.", "model.language_model.");
  tensors = renamed(tensors, "vision_tower.", "model.vision_tower.");
  tensors = renamed(tensors, "multi_modal_projector.", "model.multi_modal_projector.");
  EXPECT_EQ(folder.refusal(), "");
  EXPECT_EQ(folder.open()->find_tensor("output.weight"), nullptr);
  tensors["lm_head.weight"] = json::array{91, 30};
  EXPECT_EQ(folder.refusal(), "");
  EXPECT_NE(folder.open()->find_tensor("output.weight"), nullptr);
  tensors["model.other.weight"] = json::array{8};
  EXPECT_THAT(folder.refusal(), HasSubstr("'model.other.weight'"));
}

TEST(FoldersOfDecoders, WithoutAHeadMakeVectorsAndWriteNoText) {
  for (const auto& [fixture, hf_class] :
       {std::pair("hf_qwen3", "Qwen3Model"), std::pair("hf_qwen2", "Qwen2Model"),
        std::pair("hf_llama", "LlamaModel"), std::pair("hf_mistral", "MistralModel"),
        std::pair("hf_gemma2", "Gemma2Model")}) {
    FixtureFolder folder(fixture);
    EXPECT_TRUE(generates(describe_model(*folder.open()))) << fixture;
    folder.tensors = renamed(folder.tensors, "model.", "");
    EXPECT_TRUE(generates(describe_model(*folder.open()))) << fixture << " by other names";
    folder.config["architectures"] = json::array{hf_class};
    folder.tensors.erase("lm_head.weight");
    const ModelSpec spec = describe_model(*folder.open());
    EXPECT_FALSE(generates(spec)) << hf_class;
    EXPECT_EQ(spec.pooling, Pooling::last) << hf_class;
  }
}

TEST(FoldersOfDecoders, WhoseHeadIsMissingAreRefused) {
  FixtureFolder folder("hf_llama");
  folder.tensors.erase("lm_head.weight");
  EXPECT_THAT(folder.refusal(), HasSubstr("'tie_word_embeddings' is false, and the folder has no "
                                          "tensor 'lm_head.weight'"));
  folder.config["tie_word_embeddings"] = true;
  EXPECT_EQ(folder.refusal(), "");
}

TEST(FoldersOfDecoders, AreReadByOtherNamesOfTheSame) {
  FixtureFolder folder("hf_llama");
  folder.config["hidden_act"] = "swish";
  folder.config["architectures"] = json::array{"LLaMAForCausalLM"};
  EXPECT_EQ(folder.refusal(), "");
}

TEST(FoldersWithoutAClass, AreThoseThatWriteTextOfTheirType) {
  for (const char* name : {"hf_llama", "hf_mistral", "hf_gpt2", "hf_gemma3"}) {
    FixtureFolder folder(name);
    folder.config.erase("architectures");
    EXPECT_EQ(folder.refusal(), "") << name;
  }
  FixtureFolder folder("hf_llama");
  folder.config.erase("architectures");
  folder.config["model_type"] = "rwkv";
  EXPECT_THAT(folder.refusal(), HasSubstr("'architectures' does not name the model's class, nor "
                                          "does 'model_type': \"rwkv\""));
  folder.config.erase("model_type");
  EXPECT_THAT(folder.refusal(), HasSubstr("'architectures'"));
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
