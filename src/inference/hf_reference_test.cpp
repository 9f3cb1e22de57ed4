// The float32 executor against transformers on models in the form their makers publish: each
// hf_*.json of testdata is a config.json, the names and shapes of its safetensors, and the logits
// that tests/oracle/hf_models.py wrote. Weights are a formula (models/testing/hf_model.h). Most
// tell also what llama.cpp's converter makes of that folder.
#include <algorithm>
#include <filesystem>

#include <gtest/gtest.h>

#include "core/testing/temp_folder.h"
#include "inference/testing/converted.h"
#include "inference/testing/reference.h"
#include "models/family/hf_model.h"
#include "models/format/gguf.h"
#include "models/testing/formula_model.h"
#include "models/testing/hf_model.h"

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
