// Encoders that fill in masks against transformers: tiny folders whose weights are a formula, and
// the logits that tests/oracle/masked_encoders.py wrote.
#include <array>

#include <gtest/gtest.h>

#include "core/testing/temp_folder.h"
#include "inference/embedder.h"
#include "inference/testing/encoder_reference.h"
#include "models/family/family.h"
#include "models/family/hf_model.h"

namespace strata::inference {
namespace {

using encoders::Change;
using encoders::MakeExecutor;
using encoders::Vector;
using models::ModelSpec;

constexpr double kTolerance = 1e-5;  // relative to the logits' root mean square
constexpr std::array kModels{"bert", "roberta", "xlmr_own", "modern", "modern_own"};
constexpr std::array kExecutors{&make_float32_executor, &make_fast_executor};

struct Masked {
  std::vector<int32_t> ids;
  std::vector<std::pair<int32_t, Vector>> logits;  // by position
};

class MaskedModel {
 public:
  explicit MaskedModel(const std::string& name, const Change& change = {},
                       std::string_view without = {})
      : fixture(parse_json(
            read_file(STRATA_SOURCE_DIR "/src/inference/testdata/masked_" + name + ".json"))) {
    encoders::write_folder(fixture, folder_.path(), without);
    for (const auto& entry : fixture.at("sequences").as_array()) {
      Masked& sequence = sequences.emplace_back();
      sequence.ids = json::value_to<std::vector<int32_t>>(entry.at("ids"));
      for (const auto& each : entry.at("logits").as_array()) {
        sequence.logits.emplace_back(each.at("position").to_number<int32_t>(),
                                     encoders::read_vector(each));
      }
    }
    auto built = std::make_shared<models::Model>();
    built->file = models::translate(std::make_shared<models::HfFolder>(folder_.path()));
    built->spec = models::describe_model(*built->file);
    if (change) change(built->spec);
    model = built;
  }

  std::vector<EmbeddingInput> inputs(const GuessRules& rules) const {
    std::vector<EmbeddingInput> inputs;
    for (const Masked& sequence : sequences) {
      EmbeddingInput& input = inputs.emplace_back();
      input.ids = sequence.ids;
      input.rules = std::make_shared<GuessRules>(rules);
      for (const auto& [position, expected] : sequence.logits) input.masks.push_back(position);
    }
    return inputs;
  }

  const json::value fixture;
  std::shared_ptr<const models::Model> model;
  std::vector<Masked> sequences;

 private:
  strata::testing::TempFolder folder_;
};

// The worst distance of the logits of all sequences, run together in one step.
double logits_off(const MaskedModel& masked, MakeExecutor make) {
  const auto executor = make(masked.model, {});
  std::vector<Row> rows;
  for (const Masked& sequence : masked.sequences) {
    const SequenceId id = executor->create_sequence();
    for (size_t i = 0; i < sequence.ids.size(); ++i) {
      Row& row = rows.emplace_back(Row{sequence.ids[i], static_cast<int32_t>(i), id});
      for (const auto& [position, expected] : sequence.logits) {
        row.wants_logits = row.wants_logits || position == row.position;
      }
    }
  }
  std::span<const float> logits = executor->step(rows);
  const auto n_vocab = static_cast<size_t>(masked.model->spec.n_vocab);
  double worst = 0;
  for (const Masked& sequence : masked.sequences) {
    for (const auto& [position, expected] : sequence.logits) {
      worst = std::max(worst, encoders::distance(expected, logits.first(n_vocab)));
      logits = logits.subspan(n_vocab);
    }
  }
  EXPECT_TRUE(logits.empty());
  return worst;
}

std::vector<Embedding> guesses_of(const MaskedModel& masked, MakeExecutor make,
                                  const GuessRules& rules, int32_t max_rows) {
  const auto executor = make(masked.model, {.n_threads = 2});
  Embedder embedder(masked.model, *executor, max_rows);
  std::vector<Embedding> results;
  embedder.add(1, masked.inputs(rules), [&](std::vector<Embedding>&& all, const Error* error) {
    EXPECT_EQ(error, nullptr);
    results = std::move(all);
  });
  while (!embedder.idle()) embedder.step();
  return results;
}

TEST(MaskedReference, LogitsAreThoseOfTransformers) {
  for (const char* name : kModels) {
    const MaskedModel masked(name);
    EXPECT_FALSE(models::generates(masked.model->spec));
    for (const MakeExecutor make : kExecutors) {
      EXPECT_LT(logits_off(masked, make), kTolerance) << name;
    }
  }
}

TEST(MaskedReference, WhatIsSwitchedOffIsSeen) {
  for (const char* name : kModels) {
    const MaskedModel masked(name);
    for (const auto& [what, changes] : masked.fixture.at("without").as_object()) {
      const MaskedModel changed(name, {}, what);
      EXPECT_GT(logits_off(changed, make_float32_executor), 20 * kTolerance) << name << " " << what;
    }
  }
}

TEST(MaskedReferenceNegative, EachPartOfTheHeadIsSeen) {
  const auto expect_seen = [](const char* name, const char* what, const Change& change) {
    EXPECT_GT(logits_off(MaskedModel(name, change), make_float32_executor), 20 * kTolerance)
        << name << " without " << what;
  };
  for (const char* name : kModels) {
    expect_seen(name, "the dense layer", [](ModelSpec& spec) { spec.masks.reset(); });
    expect_seen(name, "the norm", [](ModelSpec& spec) { spec.masks->norm = {}; });
    expect_seen(name, "the activation",
                [](ModelSpec& spec) { spec.masks->activation = models::Activation::relu; });
    if (name == std::string_view("modern_own")) continue;  // it has no biases
    expect_seen(name, "the dense layer's bias",
                [](ModelSpec& spec) { spec.masks->dense.bias = models::kNoTensor; });
    expect_seen(name, "the tokens' bias",
                [](ModelSpec& spec) { spec.head.bias = models::kNoTensor; });
  }
}

// Texts alone or many a step, by whatever executor.
TEST(MaskedReference, GuessesDoNotDependOnTheStep) {
  const MaskedModel masked("bert");
  for (const MakeExecutor make : kExecutors) {
    const auto together = guesses_of(masked, make, {.n = 4}, 512);
    const auto alone = guesses_of(masked, make, {.n = 4}, 1);
    ASSERT_EQ(together.size(), masked.sequences.size());
    for (size_t i = 0; i < together.size(); ++i) {
      ASSERT_EQ(together[i].guesses.size(), masked.sequences[i].logits.size());
      EXPECT_TRUE(together[i].vector.empty()) << "what nobody asked for";
      for (size_t m = 0; m < together[i].guesses.size(); ++m) {
        ASSERT_EQ(together[i].guesses[m].size(), 4u);
        for (size_t g = 0; g < 4; ++g) {
          EXPECT_EQ(together[i].guesses[m][g].token, alone[i].guesses[m][g].token);
          EXPECT_EQ(together[i].guesses[m][g].probability, alone[i].guesses[m][g].probability);
        }
      }
    }
  }
}

TEST(MaskedReference, VectorsAreThoseOfTheModelAlone) {
  const MaskedModel masked("roberta");
  const MaskedModel bare("roberta", [](ModelSpec& spec) {
    spec.masks.reset();
    spec.head = {};
  });
  const auto vector_of = [](const MaskedModel& of) {
    const auto executor = make_fast_executor(of.model, {});
    Embedder embedder(of.model, *executor, 64);
    std::vector<float> vector;
    embedder.add(1, {{of.sequences.back().ids}},
                 [&](std::vector<Embedding>&& all, const Error*) { vector = all.at(0).vector; });
    while (!embedder.idle()) embedder.step();
    return vector;
  };
  EXPECT_EQ(vector_of(masked), vector_of(bare));
}

TEST(MaskedReference, TooManyMasksAndModelsWithoutTheHeadAreRefused) {
  const MaskedModel masked("bert");
  std::vector<EmbeddingInput> inputs = masked.inputs({});
  check_embedding_inputs(masked.model->spec, inputs, 64);
  ModelSpec bare = masked.model->spec;
  bare.masks.reset();
  EXPECT_THROW(check_embedding_inputs(bare, inputs, 64), Error);
  inputs[0].ids.assign(40, 5);
  for (int32_t i = 0; i < 40; ++i) inputs[0].masks.push_back(i);
  EXPECT_THROW(check_embedding_inputs(masked.model->spec, inputs, 64), Error);
}

}  // namespace
}  // namespace strata::inference
