// Models as torch.save, Keras and TensorFlow write them (tests/oracle/published_weights.py) against
// the same models in safetensors: the same tensors, bit by bit.
#include "models/testing/published.h"

#include <algorithm>
#include <map>

#include <gmock/gmock.h>

#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "models/family/reordered.h"
#include "models/format/hf_folder.h"
#include "models/format/pytorch_names.h"
#include "models/format/torch_file.h"

namespace strata::models {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Held {
  SafeType type;
  std::vector<uint64_t> shape;
  std::vector<std::byte> bytes;  // row by row
  bool operator==(const Held&) const = default;
};

std::map<std::string, Held> held_by(const HfFolder& folder) {
  std::map<std::string, Held> out;
  for (const SafeTensor& tensor : folder.tensors()) {
    Held held{tensor.type, tensor.shape, {tensor.bytes.begin(), tensor.bytes.end()}};
    if (tensor.by_columns) {
      const RowsOf columns{tensor.bytes, tensor.shape[1], tensor.shape[0],
                           safe_type_bytes(tensor.type)};
      held.bytes = transposed(columns, {0, 1, columns.cols});
    }
    out.emplace(tensor.name, std::move(held));
  }
  return out;
}

// "f32_zip" has its twin in "f32".
std::vector<std::string> cases(const std::string& model) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(kPublished / model)) {
    const std::string name = entry.path().filename().string();
    if (name.find('_') != std::string::npos) out.push_back(name);
  }
  std::ranges::sort(out);
  return out;
}

TEST(PublishedWeights, OfPyTorchAreThoseOfSafetensors) {
  EXPECT_EQ(cases("llama").size(), 13u);
  for (const std::string& name : cases("llama")) {
    const HfFolder folder(kPublished / "llama" / name);
    const HfFolder twin(kPublished / "llama" / name.substr(0, name.find('_')));
    EXPECT_EQ(folder.format(), WeightFormat::torch) << name;
    EXPECT_EQ(held_by(folder), held_by(twin)) << name;
  }
  EXPECT_NE(held_by(HfFolder(kPublished / "llama/f16")),
            held_by(HfFolder(kPublished / "llama/bf16_zip")));
}

// Where the model is a part of another one its tensors' names begin so.
TEST(PublishedWeights, OfTensorFlowAreThoseOfSafetensorsUnderPyTorchsNames) {
  const auto twin = held_by(HfFolder(kPublished / "bert/f32"));
  EXPECT_EQ(held_by(HfFolder(kPublished / "bert/f32_zip")), twin);
  for (const std::string name : {"f32_keras", "f32_bundle", "f32_bundle_of_two"}) {
    const HfFolder folder(kPublished / "bert" / name);
    const auto held = held_by(folder);
    const bool has_pooler = name != "f32_keras";
    EXPECT_EQ(held.size(), twin.size() - (has_pooler ? 0 : 2)) << name;
    for (const auto& [full, tensor] : held) {
      ASSERT_TRUE(full.starts_with("bert.")) << name << ": " << full;
      const auto found = twin.find(full.substr(5));
      ASSERT_NE(found, twin.end()) << name << ": " << full;
      EXPECT_EQ(tensor, found->second) << name << ": " << full;
    }
    const bool turned = std::ranges::any_of(folder.tensors(), &SafeTensor::by_columns);
    EXPECT_TRUE(turned) << name;  // kernels are stored [in x out]
  }
}

TEST(PublishedWeights, TiedTensorsShareTheirBytes) {
  const HfFolder folder(kPublished / "llama/tied_zip");
  EXPECT_EQ(folder.find("lm_head.weight")->bytes.data(),
            folder.find("model.embed_tokens.weight")->bytes.data());
}

TEST(PublishedWeights, TypesThatHaveNoStorageClassAreRead) {
  const std::string bytes = read_file(kPublished / "../torch_fuzz/nested");
  const auto tensors = parse_torch_file(std::as_bytes(std::span(bytes)), "nested");
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(tensors[0].shape, (std::vector<uint64_t>{3, 2}));
  EXPECT_TRUE(tensors[0].by_columns);
  EXPECT_EQ(tensors[1].type, SafeType::u16);
  const std::array<uint16_t, 2> numbers{1, 2};
  EXPECT_TRUE(std::ranges::equal(tensors[1].bytes, std::as_bytes(std::span(numbers))));
}

// A folder with these files, the first ones those of the case.
class PublishedFolders : public ::testing::Test {
 protected:
  void copy(const std::string& name) {
    for (const auto& entry : std::filesystem::directory_iterator(kPublished / name)) {
      std::filesystem::copy_file(entry.path(), folder_.path() / entry.path().filename(),
                                 std::filesystem::copy_options::overwrite_existing);
    }
  }
  std::string error() {
    return strata::testing::error_of([&] { HfFolder{folder_.path()}; }).message();
  }
  strata::testing::TempFolder folder_;
};

TEST_F(PublishedFolders, SafetensorsComeFirst) {
  copy("llama/f32_zip");
  copy("llama/f32");
  EXPECT_EQ(HfFolder(folder_.path()).format(), WeightFormat::safetensors);
}

TEST_F(PublishedFolders, BrokenOnesNameTheirFile) {
  copy("llama/f32_sharded");
  std::filesystem::remove(folder_.path() / "pytorch_model-00002-of-00002.bin");
  EXPECT_THAT(error(), HasSubstr("pytorch_model.bin.index.json names "
                                 "pytorch_model-00002-of-00002.bin, which is not in the folder"));
  write_file_atomic(folder_.path() / "pytorch_model-00002-of-00002.bin", "GGUF");
  EXPECT_THAT(error(), HasSubstr("pytorch_model-00002-of-00002.bin: it is no file of torch.save"));
}

TEST_F(PublishedFolders, ACheckpointLacksAShard) {
  copy("bert/f32_bundle_of_two");
  std::filesystem::remove(folder_.path() / "model.ckpt.data-00000-of-00002");
  EXPECT_THAT(error(), HasSubstr("model.ckpt.index: the table is of 2 data files, 1 are there"));
}

TEST_F(PublishedFolders, KerasFilesInPartsAreNotRead) {
  copy("bert/f32_keras");
  write_file_atomic(folder_.path() / "tf_model.h5.index.json", R"({"weight_map": {}})");
  EXPECT_THAT(error(), HasSubstr("tf_model.h5.index.json: Keras weights in several files"));
}

std::vector<std::string> weights_in(const std::vector<std::string>& names) {
  const auto found = find_weight_files(names);
  if (!found) return {};
  std::vector<std::string> out = found->files;
  if (!found->index.empty()) out.push_back(found->index);
  return out;
}

TEST(WeightFiles, AreTheModelsAndNotTheTrainings) {
  EXPECT_THAT(weights_in({"training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state_0.pth",
                          "config.json"}),
              IsEmpty());
  EXPECT_THAT(weights_in({"pytorch_model.bin", "tf_model.h5", "optimizer.pt", "model.ckpt.index"}),
              ElementsAre("pytorch_model.bin"));
  EXPECT_THAT(weights_in({"pytorch_model.bin.index.json", "pytorch_model-00001-of-00002.bin",
                          "pytorch_model-00002-of-00002.bin", "pytorch_model.bin", "adapter.bin"}),
              ElementsAre("pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin",
                          "pytorch_model.bin.index.json"));
  EXPECT_THAT(weights_in({"optimizer.pt", "model.pth"}), ElementsAre("model.pth"));
  EXPECT_THAT(weights_in({"a.pth", "b.pt"}), IsEmpty());
  EXPECT_THAT(weights_in({"original/consolidated.00.pth"}), IsEmpty());
  EXPECT_THAT(
      weights_in(
          {"b.ckpt.data-00001-of-00002", "b.ckpt.data-00000-of-00002", "b.ckpt.index", "c.index"}),
      ElementsAre("b.ckpt.index", "b.ckpt.data-00000-of-00002", "b.ckpt.data-00001-of-00002"));
  EXPECT_THAT(weights_in({"a.index", "a.data-00000-of-00001", "b.index", "b.data-00000-of-00001"}),
              IsEmpty());
}

using Named = std::optional<PytorchName>;
std::string told(const Named& named) {
  return !named ? "none" : named->name + (named->transposed ? " transposed" : "");
}

TEST(PytorchNames, OfKeras) {
  const auto name = [](std::string_view path) { return told(pytorch_name_of_keras(path)); };
  EXPECT_EQ(name("bert/tf_bert_model/bert/encoder/layer_._11/attention/self/query/kernel:0"),
            "bert.encoder.layer.11.attention.self.query.weight transposed");
  EXPECT_EQ(name("bert/tf_bert_model/bert/embeddings/LayerNorm/gamma:0"),
            "bert.embeddings.LayerNorm.weight");
  EXPECT_EQ(name("bert/tf_bert_model/bert/embeddings/LayerNorm/beta:0"),
            "bert.embeddings.LayerNorm.bias");
  EXPECT_EQ(name("bert/tf_bert_model/bert/embeddings/position_embeddings/embeddings:0"),
            "bert.embeddings.position_embeddings.weight");
  EXPECT_EQ(name("mlm___cls/tf_bert_for_pre_training/mlm___cls/predictions/bias:0"),
            "cls.predictions.bias");
  EXPECT_EQ(name("shared/shared/shared/weight:0"), "shared.weight");
  EXPECT_EQ(name("encoder/tf_t5_model/encoder/block_._0/layer_._0/SelfAttention/"
                 "relative_attention_bias/embeddings:0"),
            "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight");
  EXPECT_EQ(name("decoder/tf_t5_model/decoder/block_._5/layer_._2/DenseReluDense/wi/kernel:0"),
            "decoder.block.5.layer.2.DenseReluDense.wi.weight transposed");
  EXPECT_EQ(name("transformer/tfgpt2_model/transformer/h_._0/attn/c_attn/weight:0"),
            "transformer.h.0.attn.c_attn.weight");  // both store it [in x out]
  EXPECT_EQ(name("model_weights/bert/tf_bert_model/bert/pooler/dense/kernel:0"),
            "bert.pooler.dense.weight transposed");
  EXPECT_EQ(name("optimizer_weights/Adam/iter:0"), "none");
  EXPECT_EQ(name("kernel:0"), "weight transposed");
  EXPECT_EQ(name("///"), "none");
  EXPECT_EQ(name("model_weights"), "none");
}

TEST(PytorchNames, OfVariables) {
  const auto name = [](std::string_view path) { return told(pytorch_name_of_variable(path)); };
  EXPECT_EQ(name("bert/encoder/layer_11/attention/self/query/kernel"),
            "bert.encoder.layer.11.attention.self.query.weight transposed");
  EXPECT_EQ(name("bert/embeddings/word_embeddings"), "bert.embeddings.word_embeddings.weight");
  EXPECT_EQ(name("cls/predictions/output_bias"), "cls.predictions.bias");
  EXPECT_EQ(name("bert/embeddings/word_embeddings/adam_m"), "none");
  EXPECT_EQ(name("global_step"), "none");
  EXPECT_EQ(name(""), "none");
}

TEST(PytorchNames, KernelsAreTurnedAndBiasesFlat) {
  const std::vector<std::byte> bytes(24);
  const auto one = [&](std::string name, std::vector<uint64_t> shape) {
    return SafeTensor{std::move(name), SafeType::f32, std::move(shape), bytes};
  };
  const auto turned = with_pytorch_names({one("a/b/kernel", {2, 3}), one("a/b/bias", {1, 6})},
                                         pytorch_name_of_variable, "file");
  EXPECT_EQ(turned[0].shape, (std::vector<uint64_t>{3, 2}));
  EXPECT_TRUE(turned[0].by_columns);
  EXPECT_EQ(turned[1].shape, (std::vector<uint64_t>{6}));
  EXPECT_FALSE(turned[1].by_columns);
  const auto message = [&](std::vector<SafeTensor> tensors) {
    return strata::testing::error_of(
               [&] { with_pytorch_names(std::move(tensors), pytorch_name_of_variable, "file"); })
        .message();
  };
  EXPECT_THAT(message({one("a/kernel", {1, 2, 3})}), HasSubstr("'a/kernel' has 3 dimensions"));
  EXPECT_THAT(message({one("a/gamma", {6}), one("a/kernel", {2, 3})}),
              HasSubstr("'a/kernel' and another tensor are both 'a.weight'"));
}

}  // namespace
}  // namespace strata::models
