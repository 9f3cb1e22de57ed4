// The float32 executor against transformers on models in the form their makers publish: each
// hf_*.json of testdata is a config.json, the names and shapes of its safetensors, and the logits
// that tests/oracle/hf_models.py wrote. Weights are a formula (models/testing/hf_model.h). Most
// tell also what llama.cpp's converter makes of that folder.
#include <algorithm>
#include <filesystem>

#include <gtest/gtest.h>

#include "core/hash.h"
#include "core/testing/temp_folder.h"
#include "inference/testing/reference.h"
#include "models/family/hf_model.h"
#include "models/family/weights.h"
#include "models/format/gguf.h"
#include "models/testing/formula_model.h"
#include "models/testing/hf_model.h"
#include "tensor/dequant.h"

namespace strata::inference {
namespace {

std::vector<std::string> fixtures() {
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(STRATA_SOURCE_DIR "/src/inference/testdata")) {
    const std::string name = entry.path().stem().string();
    if (name.starts_with("hf_") && entry.path().extension() == ".json") names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

bool has_experts(const json::value& fixture) {
  return fixture.at("sequences").at(0).at("answers").at(0).as_object().contains("experts");
}

Reference reference_of(const json::value& fixture, const json::object& config, size_t shards = 1) {
  const auto folder = std::make_shared<strata::testing::TempFolder>();
  models::write_hf_folder(folder->path(), config, fixture.at("tensors").as_object(), shards);
  const auto open = [folder] {
    return models::translate(std::make_shared<models::HfFolder>(folder->path()));
  };
  return {fixture, open, has_experts(fixture)};
}

class HfReference : public ::testing::TestWithParam<std::string> {
 protected:
  json::value fixture_ = read_fixture(GetParam());
};

TEST_P(HfReference, Prefill) {
  Reference reference = reference_of(fixture_, fixture_.at("config").as_object());
  ASSERT_EQ(reference.sequences().size(), 3u);
  EXPECT_LT(prefill(reference), kTolerance);
}

TEST_P(HfReference, DecodeFromShards) {
  Reference reference = reference_of(fixture_, fixture_.at("config").as_object(), 3);
  EXPECT_LT(decode(reference), kTolerance);
}

TEST_P(HfReference, UnevenBatches) {
  Reference reference = reference_of(fixture_, fixture_.at("config").as_object());
  EXPECT_LT(uneven_batches(reference), kTolerance);
}

std::vector<float> weights_of(const models::ModelFile& file, const models::TensorInfo& tensor) {
  const models::TensorBytes bytes = file.bytes(tensor);
  std::vector<float> weights(tensor.n_weights());
  tensor::dequantize_row(tensor.type, bytes.view.data(), weights.data(),
                         static_cast<int64_t>(weights.size()));
  return weights;
}

// The converter's values, and its tensors with the weights of ours, which must be the same.
models::GgufBuilder converted(const json::object& gguf, const models::ModelFile& ours) {
  models::GgufBuilder builder =
      models::formula_model({{"metadata", gguf.at("metadata")}, {"tensors", json::object{}}});
  for (const auto& [name, entry] : gguf.at("tensors").as_object()) {
    const json::array& shape_and_hash = entry.as_array();
    std::vector<uint64_t> shape;
    for (size_t i = 0; i + 1 < shape_and_hash.size(); ++i) {
      shape.push_back(shape_and_hash[i].to_number<uint64_t>());
    }
    const models::TensorInfo* tensor = ours.find_tensor(name);
    if (tensor == nullptr) {
      ADD_FAILURE() << "no tensor " << name;
      continue;
    }
    const std::vector<float> weights = weights_of(ours, *tensor);
    Sha256 hash;
    hash.update(std::as_bytes(std::span(weights)));
    const std::string_view wanted = shape_and_hash.back().as_string();
    EXPECT_EQ(hash.hex().substr(0, wanted.size()), wanted) << name;
    builder.add_f32(name, shape, weights);
  }
  EXPECT_EQ(builder.tensors.size(), ours.tensors().size());
  return builder;
}

TEST_P(HfReference, SameAsConvertedToGguf) {
  const json::value* gguf = fixture_.as_object().if_contains("gguf");
  if (gguf == nullptr) GTEST_SKIP() << "the converter loses something, or does not know the class";
  strata::testing::TempFolder folder;
  models::write_hf_folder(folder.path(), fixture_.at("config").as_object(),
                          fixture_.at("tensors").as_object());
  const auto ours = models::translate(std::make_shared<models::HfFolder>(folder.path()));
  const std::vector<std::byte> bytes = converted(gguf->as_object(), *ours).build();
  Reference reference(fixture_, [&] { return models::parse_gguf(bytes); }, has_experts(fixture_));
  EXPECT_LT(prefill(reference), kTolerance);
}

// A feature that config.json switches off must be seen, else the tests above prove nothing.
TEST_P(HfReference, EachFeatureIsSeen) {
  const json::object& without = fixture_.at("without").as_object();
  ASSERT_FALSE(without.empty());
  for (const auto& [what, changes] : without) {
    json::object config = fixture_.at("config").as_object();
    for (const auto& [field, value] : changes.as_object()) config[field] = value;
    Reference reference = reference_of(fixture_, config);
    EXPECT_GT(prefill(reference, {}, true), 20 * kTolerance) << "without " << what;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, HfReference, ::testing::ValuesIn(fixtures()),
                         [](const auto& entry) { return entry.param.substr(3); });

}  // namespace
}  // namespace strata::inference
