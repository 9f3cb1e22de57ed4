// The float32 executor against transformers on models in the form their makers publish: each
// hf_*.json of testdata is a config.json, the names and shapes of its safetensors, and the logits
// that tests/oracle/hf_models.py wrote. Weights are a formula (models/testing/hf_model.h). Most
// tell also what llama.cpp's converter makes of that folder.
#include <algorithm>
#include <filesystem>
#include <type_traits>
#include <utility>

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

// Calls visit(op) for each T of the model; whether there is any.
template <typename T, typename F>
bool for_each_op(models::ModelSpec& spec, const F& visit) {
  bool any = false;
  for (auto& layer : spec.layers) {
    for (auto& block : layer.blocks) {
      T* op = std::get_if<T>(&block.op);
      if (op == nullptr || !visit(*op)) continue;
      any = true;
    }
  }
  return any;
}

// Switches a formula off that configurations don't name; false: the model does not have it.
struct Formula {
  const char* what;
  bool (*remove)(models::ModelSpec&);
};

template <auto kField>
bool remove_from_attention(models::ModelSpec& spec) {
  return for_each_op<models::Attention>(spec, [](models::Attention& op) {
    auto& field = op.*kField;
    const std::remove_reference_t<decltype(field)> none = models::Attention{}.*kField;
    return std::exchange(field, none) != none;
  });
}

template <auto kField>
bool remove_from_experts(models::ModelSpec& spec) {
  return for_each_op<models::Moe>(spec, [](models::Moe& op) {
    bool any = false;
    for (models::Mlp& expert : op.experts) {
      auto& field = expert.*kField;
      if constexpr (std::is_same_v<decltype(field), models::Linear&>) {
        any |= std::exchange(field.bias, models::kNoTensor) != models::kNoTensor;
      } else {
        any |= std::exchange(field, 0.0f) != 0.0f;
      }
    }
    return any;
  });
}

// Those that the fixtures' texts, of 26 tokens at most, go beyond.
bool remove_sections(models::ModelSpec& spec) {
  constexpr int32_t kLongestText = 26;
  return for_each_op<models::Attention>(spec, [](models::Attention& op) {
    if (op.section == 0 || op.section >= kLongestText) return false;
    op.section = 0;
    return true;
  });
}

bool remove_positions(models::ModelSpec& spec) {
  return std::exchange(spec.position_embedding, models::kNoTensor) != models::kNoTensor;
}

bool remove_embedding_norm(models::ModelSpec& spec) {
  return std::exchange(spec.embedding_norm, {}).kind != models::NormKind::none;
}

bool weigh_outputs(models::ModelSpec& spec) {
  return for_each_op<models::Moe>(
      spec, [](models::Moe& op) { return std::exchange(op.weighs_inputs, false); });
}

constexpr Formula kFormulas[] = {
    {"sinks", remove_from_attention<&models::Attention::sinks>},
    {"a bias by distance", remove_from_attention<&models::Attention::distance_bias>},
    {"sections", remove_sections},
    {"biases of gates", remove_from_experts<&models::Mlp::gate>},
    {"biases of ups", remove_from_experts<&models::Mlp::up>},
    {"biases behind experts", remove_from_experts<&models::Mlp::down>},
    {"what is added to ups", remove_from_experts<&models::Mlp::up_offset>},
    {"learned positions", remove_positions},
    {"the norm of embeddings", remove_embedding_norm},
    {"weights of inputs", weigh_outputs},
};

TEST_P(HfReference, EachFormulaIsSeen) {
  Reference reference = reference_of(fixture_, fixture_.at("config").as_object());
  models::ModelSpec own;
  reference.executor([&](models::ModelSpec& spec) { own = spec; });
  for (const Formula& formula : kFormulas) {
    models::ModelSpec copy = own;
    if (!formula.remove(copy)) continue;
    const double distance =
        prefill(reference, [&](models::ModelSpec& spec) { formula.remove(spec); });
    EXPECT_GT(distance, 20 * kTolerance) << "without " << formula.what;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, HfReference, ::testing::ValuesIn(fixtures()),
                         [](const auto& entry) { return entry.param.substr(3); });

}  // namespace
}  // namespace strata::inference
