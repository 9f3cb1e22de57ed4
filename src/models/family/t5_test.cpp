// What folders and files of encoder-decoders may say, and what is refused.
#include <functional>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/testing/temp_folder.h"
#include "models/family/family.h"
#include "models/family/hf_model.h"
#include "models/format/gguf.h"
#include "models/testing/formula_model.h"
#include "models/testing/hf_model.h"

namespace strata::models {
namespace {

// One layer to read, two to write.
json::object tensors() {
  json::object all{{"shared.weight", {20, 8}},
                   {"encoder.final_layer_norm.weight", {8}},
                   {"decoder.final_layer_norm.weight", {8}}};
  const auto attention = [&](const std::string& at, std::string_view name) {
    for (const char* part : {"q", "k", "v"}) {
      all[fmt::format("{}{}.{}.weight", at, name, part)] = {6, 8};
    }
    all[fmt::format("{}{}.o.weight", at, name)] = {8, 6};
    all[at + "layer_norm.weight"] = {8};
  };
  const auto feed_forward = [&](const std::string& at) {
    all[at + "DenseReluDense.wi.weight"] = {10, 8};
    all[at + "DenseReluDense.wo.weight"] = {8, 10};
    all[at + "layer_norm.weight"] = {8};
  };
  attention("encoder.block.0.layer.0.", "SelfAttention");
  feed_forward("encoder.block.0.layer.1.");
  for (int i = 0; i < 2; ++i) {
    const std::string at = fmt::format("decoder.block.{}.layer.", i);
    attention(at + "0.", "SelfAttention");
    attention(at + "1.", "EncDecAttention");
    feed_forward(at + "2.");
  }
  for (const char* stack : {"encoder", "decoder"}) {
    all[fmt::format("{}.block.0.layer.0.SelfAttention.relative_attention_bias.weight", stack)] = {
        4, 2};
  }
  return all;
}

json::object config() {
  return {{"architectures", {"T5ForConditionalGeneration"}},
          {"d_model", 8},
          {"d_kv", 3},
          {"d_ff", 10},
          {"num_heads", 2},
          {"num_layers", 1},
          {"num_decoder_layers", 2},
          {"relative_attention_num_buckets", 4},
          {"pad_token_id", 0},
          {"vocab_size", 20}};
}

using Change = std::function<void(json::object& config, json::object& tensors)>;

ModelSpec described(const Change& change = {}) {
  json::object settings = config();
  json::object shapes = tensors();
  if (change) change(settings, shapes);
  strata::testing::TempFolder folder;
  write_hf_folder(folder.path(), settings, shapes);
  return describe_model(*translate(std::make_shared<HfFolder>(folder.path())));
}

std::string refusal(const Change& change) {
  try {
    described(change);
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

Change set(std::string field, json::value value) {
  return [field = std::move(field), value = std::move(value)](json::object& config, json::object&) {
    config[field] = value;
  };
}

TEST(T5, AFolderSaysWhatTheModelIs) {
  const ModelSpec spec = described();
  ASSERT_TRUE(spec.encoder.has_value());
  EXPECT_EQ(spec.encoder->layers.size(), 1u);
  EXPECT_EQ(spec.layers.size(), 2u);
  EXPECT_EQ(spec.encoder->first_token, 0);
  EXPECT_EQ(spec.n_context, 512);
  EXPECT_FLOAT_EQ(spec.logit_scale, 1.0f / std::sqrt(8.0f));
  EXPECT_TRUE(generates(spec));
  EXPECT_EQ(all_layers(spec).size(), 3u);
  const auto& first = std::get<Attention>(spec.layers[0].blocks[0].op);
  const auto& second = std::get<Attention>(spec.layers[1].blocks[0].op);
  EXPECT_EQ(second.distance_bias, first.distance_bias);
  EXPECT_EQ(first.distance_bias.max_distance, 128);
  EXPECT_TRUE(first.causal);
  EXPECT_EQ(first.scale, 1.0f);
  const auto& reading = std::get<Attention>(spec.encoder->layers[0].blocks[0].op);
  EXPECT_NE(reading.distance_bias, first.distance_bias);
  EXPECT_FALSE(reading.causal);
}

TEST(T5, AHeadOfItsOwnIsNotScaled) {
  const ModelSpec spec = described([](json::object& config, json::object& tensors) {
    config["tie_word_embeddings"] = false;
    tensors["lm_head.weight"] = {20, 8};
  });
  EXPECT_NE(spec.head.weight, spec.token_embedding);
  EXPECT_EQ(spec.logit_scale, 1.0f);
}

TEST(T5, CopiesOfTheEmbeddingAndAnUnusedBiasAreLeftOut) {
  EXPECT_EQ(refusal([](json::object&, json::object& tensors) {
              tensors["encoder.embed_tokens.weight"] = {20, 8};
              tensors["decoder.embed_tokens.weight"] = {20, 8};
              tensors["decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"] = {
                  4, 2};
            }),
            "");
}

TEST(T5, WhatIsMissingOrOtherwiseIsRefused) {
  EXPECT_NE(refusal(set("feed_forward_proj", "gated-silu")).find("gated-silu"), std::string::npos);
  EXPECT_NE(refusal(set("num_decoder_layers", 3)).find("decoder.block.2"), std::string::npos);
  EXPECT_NE(refusal(set("num_decoder_layers", 1)).find("decoder.block.1"), std::string::npos);
  EXPECT_NE(refusal(set("num_decoder_layers", 100000)).find("num_decoder_layers"),
            std::string::npos);
  EXPECT_NE(refusal(set("decoder_start_token_id", 20)).find("decoder_start_token_id"),
            std::string::npos);
  EXPECT_NE(refusal(set("pad_token_id", nullptr)).find("decoder_start_token_id"),
            std::string::npos);
  EXPECT_NE(refusal(set("relative_attention_max_distance", 2)).find("relative_max_distance"),
            std::string::npos);
  EXPECT_NE(refusal(set("relative_attention_num_buckets", 3)).find("relative_buckets_count"),
            std::string::npos);
  EXPECT_NE(refusal(set("d_kv", 4)), "");
  EXPECT_NE(refusal([](json::object&, json::object& tensors) {
              tensors.erase("decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight");
            }).find("relative_attention_bias"),
            std::string::npos);
}

TEST(T5, AnEncoderAloneMakesVectors) {
  const ModelSpec spec = described([](json::object& config, json::object& tensors) {
    config["architectures"] = {"T5EncoderModel"};
    std::vector<std::string> others;
    for (const auto& [name, shape] : tensors) {
      if (std::string_view(name).starts_with("decoder.")) others.emplace_back(name);
    }
    for (const std::string& name : others) tensors.erase(name);
  });
  EXPECT_FALSE(spec.encoder.has_value());
  EXPECT_FALSE(generates(spec));
  EXPECT_FALSE(is_causal(spec));
  EXPECT_EQ(spec.layers.size(), 1u);
  EXPECT_EQ(spec.pooling, Pooling::mean);
}

}  // namespace
}  // namespace strata::models
