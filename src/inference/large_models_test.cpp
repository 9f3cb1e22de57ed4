// What models that fit no test machine need: headers of their real shapes over files that are all
// holes, against numbers that their makers give.
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "core/testing/temp_folder.h"
#include "inference/memory.h"
#include "models/family/experts.h"
#include "models/family/family.h"
#include "models/format/gguf.h"
#include "models/format/gguf_builder.h"
#include "tensor/dtype.h"

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
  const auto in_file = static_cast<double>(file->file_bytes());
  EXPECT_NEAR(static_cast<double>(need.weight_bytes), in_file, in_file * 0.05);
  EXPECT_LT(need.work_bytes, 1ll << 30);
}

}  // namespace
}  // namespace strata::inference
