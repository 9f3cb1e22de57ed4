#include "modify/quantized_model.h"

#include <gmock/gmock.h>

#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "models/hub/pull.h"
#include "models/testing/hf_model.h"
#include "modify/testing/byte_level.h"

namespace strata::modify {
namespace {

using strata::testing::error_of;
using strata::testing::TempFolder;

json::object config() {
  return {{"architectures", json::array{"LlamaForCausalLM"}},
          {"hidden_size", 64},
          {"intermediate_size", 96},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"num_hidden_layers", 1},
          {"max_position_embeddings", 64},
          {"rms_norm_eps", 1e-5},
          {"vocab_size", kByteLevelTokens}};
}

json::object tensors() {
  json::object out{{"model.embed_tokens.weight", json::array{kByteLevelTokens, 64}},
                   {"lm_head.weight", json::array{kByteLevelTokens, 64}},
                   {"model.norm.weight", json::array{64}}};
  const std::pair<const char*, json::array> layer[]{
      {"input_layernorm", {64}},      {"post_attention_layernorm", {64}},
      {"self_attn.q_proj", {64, 64}}, {"self_attn.k_proj", {32, 64}},
      {"self_attn.v_proj", {32, 64}}, {"self_attn.o_proj", {64, 64}},
      {"mlp.gate_proj", {96, 64}},    {"mlp.up_proj", {96, 64}},
      {"mlp.down_proj", {64, 96}}};
  for (const auto& [name, shape] : layer) {
    out["model.layers.0." + std::string(name) + ".weight"] = shape;
  }
  return out;
}

class StoreQuantized : public ::testing::Test {
 protected:
  StoreQuantized() : store_(folder_.path() / "store") {
    const fs::path path = folder_.path() / "tiny";
    make_directories(path);
    models::write_hf_folder(path, config(), tensors());
    const std::string words = R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
                              R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
    const std::string pattern = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|" + words;
    write_file_atomic(path / "tokenizer.json", to_json(byte_level(pattern)));
    write_file_atomic(path / "README.md", "---\nlicense: mit\n---\n");
    source_ = models::pull(store_, "file:" + path.string()).manifest;
  }

  models::Manifest quantized(const char* type, const QuantizedModelOptions& options = {}) {
    return store_quantized(store_, source_, find_mix(type), "tiny:small", options);
  }

  TempFolder folder_;
  models::Store store_;
  models::Manifest source_;
};

TEST_F(StoreQuantized, IsOneFileThatSaysWhereItCameFrom) {
  const models::Manifest made = quantized("Q8_0");
  EXPECT_EQ(made.name, "tiny:small");
  EXPECT_EQ(made.parent, source_.name);
  EXPECT_THAT(made.source, ::testing::HasSubstr("Q8_0 of file:"));
  ASSERT_EQ(made.model.size(), 1u);
  EXPECT_LT(made.size_bytes(), source_.size_bytes());
  EXPECT_TRUE(store_.verify("tiny:small").empty());
  const auto model = models::load_model(store_.model_path(made), made.name);
  EXPECT_EQ(model->file->find_tensor("blk.0.attn_q.weight")->type, tensor::DType::q8_0);
  EXPECT_EQ(models::licence_of(made, *model->file), "mit");
  EXPECT_EQ(model->tokenizer->decode(model->tokenizer->encode_text("the 123")), "the 123");
}

TEST_F(StoreQuantized, WhatItStoodForStaysUntilTheEnd) {
  const models::Manifest before = quantized("Q8_0");
  for (const char* stage : {"quantising", "hashing"}) {
    QuantizedModelOptions options;
    options.progress = [&](const char* now, uint64_t, uint64_t) {
      return std::string_view(now) != stage;
    };
    EXPECT_EQ(error_of([&] { quantized("Q4_0", options); }).code(), Code::cancelled);
    EXPECT_EQ(store_.find("tiny:small").digest(), before.digest());
    EXPECT_TRUE(fs::is_empty(folder_.path() / "store" / "partial")) << "nothing half is left";
  }
}

TEST_F(StoreQuantized, NothingIsRoundedTwice) {
  source_ = quantized("Q8_0");
  const Error error = error_of([&] { quantized("Q4_0"); });
  EXPECT_EQ(error.code(), Code::failed_precondition);
  EXPECT_THAT(error.message(), ::testing::HasSubstr("quantised already"));
}

}  // namespace
}  // namespace strata::modify
