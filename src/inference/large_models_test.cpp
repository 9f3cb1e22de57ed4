// What models that fit no test machine need: headers of their real shapes over files that are all
// holes, against numbers that their makers give.
#include <filesystem>
#include <fstream>
#include <map>

#include <gtest/gtest.h>

#include "core/json.h"
#include "core/os.h"
#include "core/testing/temp_folder.h"
#include "core/threads.h"
#include "inference/fitting_advice.h"
#include "inference/memory.h"
#include "models/family/experts.h"
#include "models/family/family.h"
#include "models/format/gguf.h"
#include "models/format/gguf_builder.h"
#include "models/format/safetensors_writer.h"
#include "models/model.h"
#include "tensor/dtype.h"
#include "tensor/packed.h"

namespace strata::inference {
namespace {

using models::GgufBuilder;
using tensor::DType;

// Tensors one behind the other, without their bytes.
class HollowFile {
 public:
  GgufBuilder builder;

  void add(const std::string& name, DType type, std::vector<uint64_t> shape) {
    uint64_t n_weights = 1;
    for (const uint64_t n : shape) n_weights *= n;
    builder.add_tensor(name, type, std::move(shape), {});
    builder.tensors.back().offset = size_;
    size_ += (tensor::bytes_of(type, n_weights) + 31) / 32 * 32;
    n_weights_ += n_weights;
  }
  void add_matrix(const std::string& name, std::vector<uint64_t> shape) {
    // As quantisers do where rows are no multiple of 256.
    const DType type = shape[0] % 256 == 0 ? DType::q4_k : DType::q8_0;
    add(name + ".weight", type, std::move(shape));
  }
  void add_vector(const std::string& name, uint64_t n) { add(name, DType::f32, {n}); }

  std::shared_ptr<const models::ModelFile> open() {
    const auto head = builder.build();
    const auto path = folder_.path() / "hollow.gguf";
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(head.data()),
               static_cast<std::streamsize>(head.size()));
    std::filesystem::resize_file(path, head.size() + size_);
    return models::open_gguf(path);
  }
  uint64_t n_weights() const { return n_weights_; }

 private:
  strata::testing::TempFolder folder_;
  uint64_t size_ = 0;
  uint64_t n_weights_ = 0;
};

struct Count {
  const char* key;
  uint32_t value;
};
// DeepSeek-V3's config.json, without the layer that foretells tokens.
constexpr Count kDeepSeek3[] = {{"block_count", 61},
                                {"context_length", 163840},
                                {"embedding_length", 7168},
                                {"feed_forward_length", 18432},
                                {"attention.head_count", 128},
                                {"attention.head_count_kv", 1},
                                {"attention.q_lora_rank", 1536},
                                {"attention.kv_lora_rank", 512},
                                {"attention.key_length", 576},
                                {"attention.value_length", 512},
                                {"attention.key_length_mla", 192},
                                {"attention.value_length_mla", 128},
                                {"rope.dimension_count", 64},
                                {"leading_dense_block_count", 3},
                                {"expert_count", 256},
                                {"expert_used_count", 8},
                                {"expert_feed_forward_length", 2048},
                                {"expert_shared_count", 1},
                                {"expert_group_count", 8},
                                {"expert_group_used_count", 4},
                                {"expert_gating_func", 2}};

void set_deepseek3(GgufBuilder& builder) {
  builder.set_text("general.architecture", "deepseek2");
  for (const Count& count : kDeepSeek3) {
    builder.set_u32(std::string("deepseek2.") + count.key, count.value);
  }
  builder.set_bool("deepseek2.expert_weights_norm", true);
  builder.set_f32("deepseek2.expert_weights_scale", 2.5f);
  builder.set_f32("deepseek2.attention.layer_norm_rms_epsilon", 1e-6f);
}

void add_network(HollowFile& file, const std::string& name, uint64_t width, uint64_t n) {
  const auto shape = [&](uint64_t cols, uint64_t rows) {
    return n > 1 ? std::vector<uint64_t>{cols, rows, n} : std::vector<uint64_t>{cols, rows};
  };
  const std::string suffix = n > 1 ? "_exps" : width == 2048 ? "_shexp" : "";
  file.add_matrix(name + "ffn_gate" + suffix, shape(7168, width));
  file.add_matrix(name + "ffn_up" + suffix, shape(7168, width));
  file.add_matrix(name + "ffn_down" + suffix, shape(width, 7168));
}

void add_deepseek3(HollowFile& file) {
  set_deepseek3(file.builder);
  file.add_matrix("token_embd", {7168, 129280});
  file.add_matrix("output", {7168, 129280});
  file.add_vector("output_norm.weight", 7168);
  for (int layer = 0; layer < 61; ++layer) {
    const std::string name = "blk." + std::to_string(layer) + ".";
    file.add_vector(name + "attn_norm.weight", 7168);
    file.add_matrix(name + "attn_q_a", {7168, 1536});
    file.add_vector(name + "attn_q_a_norm.weight", 1536);
    file.add_matrix(name + "attn_q_b", {1536, 24576});
    file.add_matrix(name + "attn_kv_a_mqa", {7168, 576});
    file.add_vector(name + "attn_kv_a_norm.weight", 512);
    file.add_matrix(name + "attn_k_b", {128, 512, 128});
    file.add_matrix(name + "attn_v_b", {512, 128, 128});
    file.add_matrix(name + "attn_output", {16384, 7168});
    file.add_vector(name + "ffn_norm.weight", 7168);
    if (layer < 3) {
      add_network(file, name, 18432, 1);
      continue;
    }
    file.add(name + "ffn_gate_inp.weight", DType::f32, {7168, 256});
    file.add_vector(name + "exp_probs_b.bias", 256);
    add_network(file, name, 2048, 256);
    add_network(file, name, 2048, 1);
  }
}

// What all matrices take in memory, by what some rows of each type and width take when they are
// really packed; vectors are floats.
double packed_by_sample(const models::ModelFile& file) {
  constexpr int64_t kRows = 512;
  std::map<std::pair<DType, uint64_t>, double> bytes_a_weight;
  Team team(1);
  double bytes = 0;
  for (const auto& tensor : file.tensors()) {
    const auto n = static_cast<double>(tensor.n_weights());
    if (tensor.n_dims == 1) {
      bytes += n * sizeof(float);
      continue;
    }
    auto [entry, is_new] = bytes_a_weight.try_emplace({tensor.type, tensor.cols()});
    if (is_new) {
      const uint64_t n_sample = kRows * tensor.cols();
      const std::vector<std::byte> rows(tensor::bytes_of(tensor.type, n_sample));
      const tensor::WeightSource source{.type = tensor.type,
                                        .data = rows.data(),
                                        .rows = kRows,
                                        .cols = static_cast<int64_t>(tensor.cols())};
      const auto packed = tensor::PackedMatrix::pack(std::span(&source, 1), team);
      entry->second = static_cast<double>(packed.bytes()) / static_cast<double>(n_sample);
    }
    bytes += n * entry->second;
  }
  return bytes;
}

TEST(LargeModels, DeepSeek3) {
  HollowFile hollow;
  add_deepseek3(hollow);
  const auto file = hollow.open();
  const models::ModelSpec spec = models::describe_model(*file);
  // DeepSeek-V3 (https://arxiv.org/abs/2412.19437), abstract: 671 B parameters, 37 B a token.
  EXPECT_NEAR(static_cast<double>(hollow.n_weights()), 671.0e9, 0.5e9);
  const int64_t idle = models::expert_facts(spec).n_idle_weights;
  EXPECT_NEAR(static_cast<double>(static_cast<int64_t>(hollow.n_weights()) - idle), 37.0e9, 1.0e9);
  // https://arxiv.org/abs/2505.09343, table 1: 70.272 kB a token in bf16.
  EXPECT_EQ(kv_bytes_per_position(spec, tensor::KvFormat::bf16), 70272);
  const MemoryNeed need = foretell_memory(spec, *file, 1 << 20, tensor::KvFormat::bf16);
  EXPECT_EQ(need.kv_bytes, 70272ll << 20);
  const double held = packed_by_sample(*file);
  EXPECT_NEAR(static_cast<double>(need.weight_bytes), held, held * 0.02);
  EXPECT_LT(need.weight_bytes, 1.05 * static_cast<double>(file->file_bytes()));
  EXPECT_LT(need.work_bytes, 1ll << 30);
}

// Llama 3 70B's config.json.
const json::object kLlama70B{{"architectures", json::array{"LlamaForCausalLM"}},
                             {"hidden_act", "silu"},
                             {"hidden_size", 8192},
                             {"intermediate_size", 28672},
                             {"max_position_embeddings", 8192},
                             {"num_attention_heads", 64},
                             {"num_hidden_layers", 80},
                             {"num_key_value_heads", 8},
                             {"rms_norm_eps", 1e-5},
                             {"rope_theta", 500000.0},
                             {"vocab_size", 128256}};

std::vector<models::SafeHead> heads_of_llama_70b() {
  std::vector<models::SafeHead> heads;
  const auto add = [&](const std::string& name, std::vector<uint64_t> shape) {
    heads.push_back({name + ".weight", models::SafeType::bf16, std::move(shape)});
  };
  add("model.embed_tokens", {128256, 8192});
  for (int layer = 0; layer < 80; ++layer) {
    const std::string name = "model.layers." + std::to_string(layer) + ".";
    add(name + "input_layernorm", {8192});
    add(name + "self_attn.q_proj", {8192, 8192});
    add(name + "self_attn.k_proj", {1024, 8192});
    add(name + "self_attn.v_proj", {1024, 8192});
    add(name + "self_attn.o_proj", {8192, 8192});
    add(name + "post_attention_layernorm", {8192});
    add(name + "mlp.gate_proj", {28672, 8192});
    add(name + "mlp.up_proj", {28672, 8192});
    add(name + "mlp.down_proj", {8192, 28672});
  }
  add("model.norm", {8192});
  add("lm_head", {128256, 8192});
  return heads;
}

// The folder as its makers publish it, in shards that are all holes.
class Llama70B : public ::testing::Test {
 protected:
  Llama70B() {
    write_file_atomic(folder_.path() / "config.json", to_json(kLlama70B));
    models::SafetensorsWriter(folder_.path(), heads_of_llama_70b(), 5'000'000'000).lay_out();
    file_ = models::open_model_file(folder_.path());
    spec_ = models::describe_model(*file_);
  }

  strata::testing::TempFolder folder_;
  std::shared_ptr<const models::ModelFile> file_;
  models::ModelSpec spec_;
};

TEST_F(Llama70B, NeedsWhatItsNumbersSay) {
  // The Llama 3 Herd of Models (https://arxiv.org/abs/2407.21783), table 3; 70.55 B with embedding
  // and head, two bytes each.
  constexpr double kWeights = 70'553'706'496.0;
  const MemoryNeed need = foretell_memory(spec_, *file_, 8192, tensor::KvFormat::bf16);
  EXPECT_NEAR(static_cast<double>(need.weight_bytes), 2 * kWeights, 0.02 * 2 * kWeights);
  // Keys and values of 8 heads of 128 in 80 layers.
  EXPECT_EQ(kv_bytes_per_position(spec_, tensor::KvFormat::bf16), 2 * 80 * 8 * 128 * 2);
  EXPECT_EQ(need.kv_bytes, 8192 * int64_t{327680});
  EXPECT_LT(need.work_bytes, 1ll << 30);
}

TEST_F(Llama70B, WhatWouldFitIsSaid) {
  constexpr int64_t kGiga = 1'000'000'000;
  const auto advice = [&](int64_t free, tensor::KvFormat kv = tensor::KvFormat::bf16) {
    return advise_fitting(spec_, *file_, 8192, free, kv);
  };
  // 141.1 GB of weights and 327,680 bytes a position, as many of which stay free.
  const FittingAdvice context = advice(144 * kGiga);
  EXPECT_NEAR(static_cast<double>(context.context), 2.9e9 / 2 / 327680, 200);
  EXPECT_EQ(context.kv, tensor::KvFormat::int8) << "half the bytes give the whole context";
  EXPECT_EQ(context.kv_context, 8192);
  EXPECT_TRUE(context.type.empty());
  EXPECT_EQ(advice(144 * kGiga, tensor::KvFormat::int4).kv_context, 0) << "nothing has fewer bits";
  EXPECT_EQ(advice(64 * kGiga).type, "Q6_K");
  EXPECT_EQ(advice(48 * kGiga).type, "Q4_K_M");
  EXPECT_LE(advice(48 * kGiga).type_bytes, 48 * kGiga);
  const FittingAdvice none = advice(16 * kGiga);
  EXPECT_TRUE(none.type.empty());
  EXPECT_EQ(none.smallest, "Q4_K_S");
  EXPECT_NE(to_text(context).find("8192 with keys and values as int8"), std::string::npos);
  EXPECT_NE(to_text(advice(48 * kGiga)).find("--quant Q4_K_M"), std::string::npos);
  EXPECT_NE(to_text(none).find("even as Q4_K_S"), std::string::npos);
}

}  // namespace
}  // namespace strata::inference
