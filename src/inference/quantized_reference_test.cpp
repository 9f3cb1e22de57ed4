// Folders whose weights are quantised, against compressed-tensors and transformers: each
// quantized_*.json of testdata is a config.json, tensors that are a formula, hashes of the
// dequantised weights, and for most methods transformers' logits with them
// (tests/oracle/hf_quantized.py).
#include <algorithm>
#include <filesystem>

#include <gtest/gtest.h>

#include "core/hash.h"
#include "core/testing/temp_folder.h"
#include "inference/testing/reference.h"
#include "models/family/hf_model.h"
#include "models/quantized/weight_storage.h"
#include "models/testing/hf_model.h"
#include "tensor/dequant.h"

namespace strata::inference {
namespace {

std::vector<std::string> fixtures() {
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(STRATA_SOURCE_DIR "/src/inference/testdata")) {
    const std::string name = entry.path().stem().string();
    if (name.starts_with("quantized_")) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

class QuantizedFolder : public ::testing::TestWithParam<std::string> {
 protected:
  std::shared_ptr<const models::ModelFile> open(size_t shards = 1) const {
    models::write_hf_folder(folder_.path(), fixture_.at("config").as_object(),
                            fixture_.at("tensors").as_object(), shards);
    return models::translate(std::make_shared<models::HfFolder>(folder_.path()));
  }

  strata::testing::TempFolder folder_;
  json::value fixture_ = read_fixture(GetParam());
};

// Of float32, with one zero.
std::string hash_of(const models::ModelFile& file, const models::TensorInfo& tensor) {
  const models::TensorBytes bytes = file.bytes(tensor);
  std::vector<float> weights(tensor.n_weights());
  tensor::dequantize_row(tensor.type, bytes.view.data(), weights.data(),
                         static_cast<int64_t>(weights.size()));
  for (float& weight : weights) weight += 0.0f;
  Sha256 hash;
  hash.update(std::as_bytes(std::span(weights)));
  return hash.hex();
}

TEST_P(QuantizedFolder, WeightsAreTheMethodsBitForBit) {
  const auto file = open(2);
  ASSERT_FALSE(fixture_.at("weights").as_object().empty());
  for (const auto& [name, hash] : fixture_.at("weights").as_object()) {
    const models::TensorInfo* tensor = file->find_tensor(name);
    ASSERT_NE(tensor, nullptr) << name;
    EXPECT_EQ(tensor::dtype_info(tensor->type).name,
              std::string_view(fixture_.at("type").as_string()))
        << name;
    EXPECT_EQ(hash_of(*file, *tensor).substr(0, 16), std::string_view(hash.as_string())) << name;
  }
  EXPECT_NE(file->text(models::kStorageKey), std::nullopt);
}

TEST_P(QuantizedFolder, AnySliceIsAPartOfTheWhole) {
  const auto file = open();
  for (const models::TensorInfo& tensor : file->tensors()) {
    const models::TensorBytes whole = file->bytes(tensor);
    const uint64_t size = tensor.size_bytes();
    ASSERT_EQ(whole.view.size(), size);
    for (uint64_t begin = 0; begin < size; begin += 1 + begin * 2 + size / 7) {
      for (const uint64_t n : {uint64_t{1}, (size - begin + 1) / 2, size - begin}) {
        const models::TensorBytes part = file->bytes(tensor, begin, n);
        EXPECT_TRUE(std::ranges::equal(part.view, whole.view.subspan(begin, n))) << tensor.name;
      }
    }
  }
}

TEST_P(QuantizedFolder, LogitsAreThoseOfTheDequantizedWeights) {
  const auto& sequences = fixture_.at("sequences").as_array();
  if (sequences.empty()) GTEST_SKIP() << "the weights are compared, another model has logits";
  const auto& first = sequences[0].at("answers").at(0).as_object();
  Reference reference(fixture_, [&] { return open(); }, first.contains("experts"));
  EXPECT_LT(prefill(reference), kTolerance);
  EXPECT_LT(uneven_batches(reference), kTolerance);
}

// Else the logits would prove nothing about scales and zero points.
TEST_P(QuantizedFolder, ScalesAreSeen) {
  const auto& sequences = fixture_.at("sequences").as_array();
  if (sequences.empty()) GTEST_SKIP() << "the weights are compared, another model has logits";
  for (auto& [name, how] : fixture_.as_object()["tensors"].as_object()) {
    if (!how.is_object()) continue;
    const double about =
        how.as_object().contains("about") ? how.at("about").to_number<double>() : 0;
    if (how.at("fill") == "scales") how.as_object()["about"] = about * 1.1;
    if (how.at("fill") == "exponents") how.as_object()["about"] = about + 1;
  }
  const auto& first = sequences[0].at("answers").at(0).as_object();
  Reference reference(fixture_, [&] { return open(); }, first.contains("experts"));
  EXPECT_GT(prefill(reference, {}, true), 20 * kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Methods, QuantizedFolder, ::testing::ValuesIn(fixtures()),
                         [](const auto& entry) { return entry.param.substr(10); });

}  // namespace
}  // namespace strata::inference
