// Folders in forms that makers publish beside the usual one: names of the first programs, fields
// that the class has anyway, experts one by one.
#include <gmock/gmock.h>

#include "models/testing/fixture_folder.h"

namespace strata::models {
namespace {

using ::testing::HasSubstr;

// Each name with the first `from` in it replaced.
json::object with(const json::object& tensors, std::string_view from, std::string_view to) {
  json::object out;
  for (const auto& [key, shape] : tensors) {
    std::string name(key);
    if (const size_t at = name.find(from); at != std::string::npos) {
      name.replace(at, from.size(), to);
    }
    out[name] = shape;
  }
  return out;
}

const Attention& attention(const ModelSpec& spec, size_t layer) {
  return std::get<Attention>(spec.layers[layer].blocks[0].op);
}

// As BERT's first checkpoints have them.
TEST(PublishedForms, WeightsOfLayerNormsMayBeGammaAndBeta) {
  FixtureFolder folder("encoder_roberta");
  folder.tensors = with(folder.tensors, "LayerNorm.weight", "LayerNorm.gamma");
  folder.tensors = with(folder.tensors, "LayerNorm.bias", "LayerNorm.beta");
  ASSERT_TRUE(folder.tensors.contains("embeddings.LayerNorm.beta"));
  EXPECT_EQ(folder.refusal(), "");
  const auto file = folder.open();
  EXPECT_NE(file->find_tensor("token_embd_norm.bias"), nullptr);
  EXPECT_NE(file->find_tensor("blk.1.layer_output_norm.weight"), nullptr);
  folder.tensors["embeddings.LayerNorm.bias"] = folder.tensors["embeddings.LayerNorm.beta"];
  EXPECT_THAT(folder.refusal(), HasSubstr("'embeddings.LayerNorm.bias'")) << "twice";
}

TEST(PublishedForms, EncodersWithoutAClassAreTheModelAlone) {
  for (const char* name : {"encoder_deberta_own", "encoder_roberta", "encoder_modern_folder"}) {
    FixtureFolder folder(name);
    folder.config.erase("architectures");
    EXPECT_EQ(folder.refusal(), "") << name;
  }
  FixtureFolder folder("hf_t5");
  folder.config.erase("architectures");
  EXPECT_EQ(folder.refusal(), "");
  EXPECT_TRUE(describe_model(*folder.open()).encoder.has_value()) << "the whole of it";
}

TEST(PublishedForms, ClassesTurnAPartOfTheHeadWhereNothingIsSaid) {
  for (const auto& [name, n_dims] : {std::pair("hf_nemotron", 6), std::pair("hf_phi", 5),
                                     std::pair("hf_stablelm", 2), std::pair("hf_gptneox", 3)}) {
    FixtureFolder folder(name);
    folder.config.erase("rope_parameters");
    const auto file = folder.open();
    const std::string architecture(*file->text("general.architecture"));
    EXPECT_EQ(file->integer(architecture + ".rope.dimension_count"), n_dims) << name;
  }
}

TEST(PublishedForms, MistralHasAWindowUnlessItSaysNone) {
  FixtureFolder folder("hf_mistral");
  folder.config.erase("sliding_window");
  EXPECT_EQ(attention(describe_model(*folder.open()), 0).window, 4096);
  folder.config["sliding_window"] = nullptr;
  EXPECT_EQ(attention(describe_model(*folder.open()), 0).window, 0);
}

TEST(PublishedForms, WhatTheClassHasHoldsWhereNothingIsSaid) {
  FixtureFolder second("hf_gemma2");
  for (const char* field : {"attn_logit_softcapping", "final_logit_softcapping",
                            "query_pre_attn_scalar", "sliding_window"}) {
    second.config.erase(field);
  }
  const ModelSpec spec = describe_model(*second.open());
  EXPECT_EQ(spec.logit_soft_cap, 30.0f);
  EXPECT_EQ(attention(spec, 0).soft_cap, 50.0f);
  EXPECT_EQ(attention(spec, 0).scale, 1.0f / 16);
  EXPECT_EQ(attention(spec, 0).window, 4096);
  FixtureFolder granite("hf_granite");
  granite.config.erase("attention_multiplier");
  granite.config.erase("logits_scaling");
  EXPECT_EQ(attention(describe_model(*granite.open()), 0).scale, 1.0f);
  FixtureFolder third("hf_deepseek3");
  third.config.erase("routed_scaling_factor");
  EXPECT_EQ(third.open()->number("deepseek2.expert_weights_scale"), 2.5);
  FixtureFolder experts("hf_qwen3moe");
  experts.config.erase("norm_topk_prob");
  EXPECT_THAT(experts.refusal(), HasSubstr("'norm_topk_prob' is false"));
  for (const auto& [name, base] :
       {std::pair("hf_mixtral", 1e6f), std::pair("hf_gpt_oss", 150000.0f),
        std::pair("hf_olmo3", 500000.0f), std::pair("hf_smollm3", 2e6f)}) {
    FixtureFolder folder(name);
    folder.config.erase("rope_parameters");
    EXPECT_EQ(attention(describe_model(*folder.open()), 0).rope.base, base) << name;
  }
  for (const char* name : {"hf_cohere", "hf_cohere2"}) {
    FixtureFolder folder(name);
    folder.config.erase("logit_scale");
    EXPECT_EQ(describe_model(*folder.open()).logit_scale, 0.0625f) << name;
  }
}

TEST(PublishedForms, TheFirstContextIsThatOfTheWholeConfiguration) {
  FixtureFolder folder("hf_phi3_longrope");
  folder.config["original_max_position_embeddings"] = 17;
  EXPECT_EQ(folder.open()->integer("phi3.rope.scaling.original_context_length"), 17);
  folder.config.erase("original_max_position_embeddings");
  EXPECT_EQ(folder.open()->integer("phi3.rope.scaling.original_context_length"), 16);
}

// transformers leaves out of a text_config what its class has anyway.
json::object nested(const json::object& text, std::string_view hf_class,
                    std::initializer_list<std::string_view> without) {
  json::object part = text;
  part.erase("architectures");
  for (const std::string_view field : without) part.erase(field);
  return {{"architectures", json::array{hf_class}}, {"text_config", std::move(part)}};
}

TEST(PublishedForms, Gemma3nsTextMayLeaveOutWhatTheClassHas) {
  FixtureFolder folder("hf_gemma3n");
  folder.config = nested(folder.config, "Gemma3nForConditionalGeneration",
                         {"final_logit_softcapping", "altup_num_inputs", "rope_parameters",
                          "activation_sparsity_pattern", "sliding_window"});
  folder.tensors = with(folder.tensors, "model.", "model.language_model.");
  folder.tensors["model.embed_vision.embedding.weight"] = json::array{8, 8};
  const auto file = folder.open();
  EXPECT_EQ(file->number("gemma3n.final_logit_softcapping"), 30.0);
  EXPECT_EQ(file->integer("gemma3n.altup.num_inputs"), 4);
  EXPECT_EQ(file->integer("gemma3n.attention.sliding_window"), 512);
  EXPECT_EQ(file->number("gemma3n.rope.freq_base"), 1e6);
  EXPECT_EQ(file->number("gemma3n.rope.freq_base_swa"), 1e4);
  EXPECT_EQ(file->numbers("gemma3n.activation_sparsity_scale")->front(), -40.0f)
      << "of few layers none is sparse";
}

TEST(PublishedForms, Mistral3sTextMayLeaveOutWhatTheClassHas) {
  FixtureFolder folder("hf_ministral3");
  const json::object whole = folder.config;
  folder.config = nested(whole, "Mistral3ForConditionalGeneration", {"rope_parameters"});
  auto file = folder.open();
  EXPECT_EQ(file->number("mistral3.rope.freq_base"), 1e6);
  EXPECT_EQ(file->number("mistral3.rope.scaling.factor"), 16.0);
  EXPECT_EQ(file->number("mistral3.attention.temperature_scale"), static_cast<double>(0.1f));
  folder.config = nested(whole, "Mistral3ForConditionalGeneration",
                         {"rope_parameters", "sliding_window", "rms_norm_eps"});
  folder.config["text_config"].as_object()["model_type"] = "mistral";
  file = folder.open();
  EXPECT_EQ(file->integer("mistral3.attention.sliding_window"), 4096);
  EXPECT_FALSE(file->number("mistral3.attention.temperature_scale"));
}

TEST(PublishedForms, Llama4sTextMayLeaveOutWhatTheClassHas) {
  FixtureFolder folder("hf_llama4");
  folder.config = nested(folder.config, "Llama4ForConditionalGeneration",
                         {"rope_parameters", "attention_chunk_size", "num_experts_per_tok"});
  const auto file = folder.open();
  EXPECT_EQ(file->number("llama4.rope.freq_base"), 500000.0);
  EXPECT_EQ(file->integer("llama4.attention.sliding_window"), 8192);
  EXPECT_EQ(file->integer("llama4.expert_used_count"), 1);
}

// As compressed-tensors leaves them.
TEST(PublishedForms, Llama4sExpertsMayBeStoredOneByOne) {
  FixtureFolder folder("hf_llama4");
  const auto stacked = folder.open();
  json::object tensors;
  for (const auto& [key, shape] : folder.tensors) {
    const std::string name(key);
    const size_t at = name.find("experts.gate_up_proj");
    const size_t down = name.find("experts.down_proj");
    const auto size = [&](size_t i) { return shape.as_array()[i].as_int64(); };
    if (at == std::string::npos && down == std::string::npos) tensors[name] = shape;
    for (int64_t e = 0; e < 5; ++e) {
      const auto own = [&](const char* part) {
        return fmt::format("{}experts.{}.{}.weight", name.substr(0, std::min(at, down)), e, part);
      };
      if (at != std::string::npos) {
        tensors[own("gate_proj")] = tensors[own("up_proj")] = json::array{size(2) / 2, size(1)};
      }
      if (down != std::string::npos) tensors[own("down_proj")] = json::array{size(2), size(1)};
    }
  }
  folder.tensors = tensors;
  EXPECT_EQ(folder.refusal(), "");
  const auto single = folder.open();
  for (const TensorInfo& tensor : stacked->tensors()) {
    const TensorInfo* other = single->find_tensor(tensor.name);
    ASSERT_NE(other, nullptr) << tensor.name;
    EXPECT_EQ(other->shape, tensor.shape) << tensor.name;
  }
}

}  // namespace
}  // namespace strata::models
