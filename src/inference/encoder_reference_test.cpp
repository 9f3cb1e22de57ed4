// Encoders against transformers: tiny models whose weights are a formula, and the hidden states,
// pooled vectors and scores that tests/oracle/tiny_encoders.py wrote.
#include "inference/testing/encoder_reference.h"

#include <array>
#include <cmath>
#include <functional>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/testing/temp_folder.h"
#include "inference/embedder.h"
#include "inference/executor.h"
#include "inference/testing/converted.h"
#include "models/family/family.h"
#include "models/family/hf_model.h"
#include "models/format/gguf.h"
#include "models/testing/formula_model.h"
#include "models/testing/hf_model.h"

namespace strata::inference {
namespace {

constexpr double kFastTolerance = 1e-5;  // weights of these files are exact in float32

using encoders::Change;
using encoders::fixture_of;
using encoders::kTolerance;
using encoders::MakeExecutor;
using encoders::Sequence;
using models::Attention;
using models::ModelSpec;

// Its files outlive the model, which maps them.
class EncoderFiles {
 protected:
  std::shared_ptr<const models::ModelFile> open(const json::value& fixture,
                                                std::string_view without) {
    if (encoders::is_folder(fixture)) {
      encoders::write_folder(fixture, folder_->path(), without);
      return models::translate(std::make_shared<models::HfFolder>(folder_->path()));
    }
    bytes_ = models::formula_model(fixture.as_object()).build();
    return models::parse_gguf(bytes_);
  }

 private:
  std::shared_ptr<strata::testing::TempFolder> folder_ =
      std::make_shared<strata::testing::TempFolder>();
  std::vector<std::byte> bytes_;
};

class Reference : private EncoderFiles, public encoders::Reference {
 public:
  // `without`: of a folder's fixture the feature that config.json switches off.
  explicit Reference(const std::string& name, const Change& change = {},
                     std::string_view without = {})
      : encoders::Reference(fixture_of(name), open(fixture_of(name), without), change) {}
};

class EncoderReference : public ::testing::TestWithParam<const char*> {};

TEST_P(EncoderReference, HiddenStates) {
  const Reference reference(GetParam());
  ASSERT_EQ(reference.sequences.size(), 4u);
  EXPECT_LT(states_off(reference, make_float32_executor), kTolerance);
}

TEST_P(EncoderReference, VectorsAndScores) {
  EXPECT_LT(vectors_off(Reference(GetParam()), make_float32_executor), kTolerance);
}

TEST_P(EncoderReference, OfTheFastExecutor) {
  const Reference reference(GetParam());
  EXPECT_LT(states_off(reference, make_fast_executor), kFastTolerance);
  EXPECT_LT(vectors_off(reference, make_fast_executor), kFastTolerance);
}

// One sequence a step, all in one step, more threads: every bit is the same.
TEST_P(EncoderReference, SameBitsInAnyBatch) {
  const Reference reference(GetParam());
  for (const MakeExecutor make : {&make_float32_executor, &make_fast_executor}) {
    const auto together = reference.embed(make, 1000);
    for (const auto& [max_rows, n_threads] : {std::pair{1, 1}, {16, 2}, {1000, 3}}) {
      const auto other = reference.embed(make, max_rows, n_threads);
      ASSERT_EQ(other.size(), together.size());
      for (size_t i = 0; i < other.size(); ++i) {
        EXPECT_EQ(other[i].vector, together[i].vector) << max_rows << " rows a step";
        EXPECT_EQ(other[i].scores, together[i].scores);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, EncoderReference,
                         ::testing::Values("bert", "bert_first", "bert_pairs", "xlmr_rank", "nomic",
                                           "t5", "modern", "modern_rank"),
                         [](const auto& entry) { return std::string(entry.param); });
constexpr std::array kFolders{"roberta",      "roberta_rank",  "xlmr_folder",
                              "nomic_folder", "modern_folder", "modern_folder_rank",
                              "deberta_rank", "deberta_own",   "gemma_folder",
                              "dense"};
INSTANTIATE_TEST_SUITE_P(Folders, EncoderReference, ::testing::ValuesIn(kFolders),
                         [](const auto& entry) { return std::string(entry.param); });

TEST(EncoderFolder, TensorsAreTheConverters) {
  for (const char* name : kFolders) {
    const Reference reference(name);
    const json::value fixture = fixture_of(name);
    if (!fixture.as_object().contains("gguf")) continue;  // it knows no such model
    converted(fixture.at("gguf").as_object(), *reference.model->file);
  }
}

TEST(EncoderFolder, EachFeatureIsSeen) {
  for (const char* name : kFolders) {
    const json::value fixture = fixture_of(name);
    for (const auto& [what, changes] : fixture.at("without").as_object()) {
      const Reference changed(name, {}, what);
      EXPECT_GT(vectors_off(changed, make_float32_executor), 20 * kTolerance)
          << name << " without " << what;
    }
  }
}

TEST(Encoder, TakesWholeSequencesOnly) {
  const Reference reference("bert");
  for (const MakeExecutor make : {&make_float32_executor, &make_fast_executor}) {
    const auto executor = make(reference.model, {});
    const SequenceId id = executor->create_sequence();
    Row row{5, 0, id};
    row.wants_state = true;
    executor->step(std::span(&row, 1));
    row.position = 1;
    EXPECT_THROW(executor->step(std::span(&row, 1)), Error) << "a second piece";
    Row typed{5, 0, executor->create_sequence()};
    typed.type = 2;
    EXPECT_THROW(executor->step(std::span(&typed, 1)), Error) << "a type that is not there";
    Row logits{5, 0, executor->create_sequence(), true};
    EXPECT_THROW(executor->step(std::span(&logits, 1)), Error) << "logits without a head";
  }
}

void expect_seen(const std::string& name, const std::string& what, const Change& change) {
  const Reference changed(name, change);
  EXPECT_GT(vectors_off(changed, make_float32_executor), 20 * kTolerance)
      << name << " without " << what;
}

void expect_attention_seen(const std::string& name, const std::string& what,
                           const std::function<void(Attention&)>& change) {
  expect_seen(name, what, [&](ModelSpec& spec) {
    for (auto& layer : spec.layers) change(std::get<Attention>(layer.blocks[0].op));
  });
}

TEST(EncoderReferenceNegative, Bert) {
  expect_attention_seen("bert", "keys behind the query", [](auto& op) { op.causal = true; });
  expect_seen("bert", "positions",
              [](ModelSpec& spec) { spec.position_embedding = models::kNoTensor; });
  expect_seen("bert", "the norm of the embedding",
              [](ModelSpec& spec) { spec.embedding_norm = {}; });
  expect_seen("bert", "the mean", [](ModelSpec& spec) { spec.pooling = models::Pooling::first; });
  expect_seen("bert_first", "the first state",
              [](ModelSpec& spec) { spec.pooling = models::Pooling::last; });
  for (const size_t block : {0, 1}) {
    expect_seen("bert", "norms of the sums", [block](ModelSpec& spec) {
      for (auto& layer : spec.layers) layer.blocks[block].sum_norm = {};
    });
    expect_seen("bert", "norms behind the sums", [block](ModelSpec& spec) {
      for (auto& layer : spec.layers) {
        std::swap(layer.blocks[block].sum_norm, layer.blocks[block].post_norm);
      }
    });
  }
}

TEST(EncoderReferenceNegative, TypesOfTokens) {
  Reference reference("bert_pairs");
  for (Sequence& sequence : reference.sequences) {
    std::fill(sequence.types.begin(), sequence.types.end(), 0);
  }
  EXPECT_GT(vectors_off(reference, make_float32_executor), 20 * kTolerance);
}

TEST(EncoderReferenceNegative, Scores) {
  expect_seen("xlmr_rank", "tanh",
              [](ModelSpec& spec) { spec.scores->activation = models::Activation::relu; });
  expect_seen("bert_pairs", "the dense layer", [](ModelSpec& spec) { spec.scores->dense = {}; });
  expect_seen("modern_rank", "the norm of the head",
              [](ModelSpec& spec) { spec.scores->norm = {}; });
}

TEST(EncoderReferenceNegative, Nomic) {
  expect_attention_seen("nomic", "its rope base", [](auto& op) { op.rope.base = 10000.0f; });
  expect_seen("nomic", "the type of all tokens",
              [](ModelSpec& spec) { spec.type_embedding = models::kNoTensor; });
}

TEST(EncoderReferenceNegative, T5) {
  expect_attention_seen("t5", "the bias by distance", [](auto& op) { op.distance_bias = {}; });
  expect_attention_seen("t5", "where its distances end",
                        [](auto& op) { op.distance_bias.max_distance = 128; });
  expect_attention_seen("t5", "scores that are not scaled", [](auto& op) { op.scale = 0.3f; });
}

TEST(EncoderReferenceNegative, Deberta) {
  expect_attention_seen("deberta_rank", "the distances' norm",
                        [](auto& op) { op.distance_vectors.norm = {}; });
  expect_attention_seen("deberta_rank", "distances that share",
                        [](auto& op) { op.distance_vectors.n_single = 0; });
  expect_attention_seen("deberta_own", "keys of distances",
                        [](auto& op) { op.distance_vectors.keys = {}; });
  expect_attention_seen("deberta_own", "queries of distances",
                        [](auto& op) { op.distance_vectors.queries = {}; });
  expect_attention_seen("deberta_own", "vectors of distances",
                        [](auto& op) { op.distance_vectors = {}; });
  expect_attention_seen("deberta_own", "matrices of the distances' own", [](auto& op) {
    op.distance_vectors.keys = op.k;
    op.distance_vectors.queries = op.q;
  });
  expect_seen("deberta_own", "positions beside distances",
              [](ModelSpec& spec) { spec.position_embedding = models::kNoTensor; });
}

TEST(EncoderReferenceNegative, Gemma) {
  expect_attention_seen("gemma_folder", "keys behind the query",
                        [](auto& op) { op.causal = true; });
  expect_attention_seen("gemma_folder", "the windows' own rope base",
                        [](auto& op) { op.rope.base = 1e6f; });
  expect_attention_seen("gemma_folder", "norms on Q", [](auto& op) { op.q_norm = {}; });
  expect_seen("gemma_folder", "scaled embeddings",
              [](ModelSpec& spec) { spec.embedding_scale = 1.0f; });
}

TEST(EncoderReferenceNegative, DenseLayersBehindThePooling) {
  expect_seen("dense", "tanh", [](ModelSpec& spec) { spec.dense[0].activation.reset(); });
  expect_seen("dense", "the bias",
              [](ModelSpec& spec) { spec.dense[0].linear.bias = models::kNoTensor; });
  EXPECT_EQ(models::vector_width(Reference("dense").model->spec), 24);
}

TEST(EncoderReferenceNegative, Modern) {
  expect_attention_seen("modern", "windows", [](auto& op) { op.window = 0; });
  expect_attention_seen("modern", "the window's exact width", [](auto& op) {
    if (op.window > 0) op.window += 2;
  });
  expect_attention_seen("modern", "the windows' own rope base",
                        [](auto& op) { op.rope.base = 160000.0f; });
  expect_seen("modern", "the halves' order", [](ModelSpec& spec) {
    for (auto& layer : spec.layers) {
      auto& mlp = std::get<models::Mlp>(layer.blocks[1].op);
      std::swap(mlp.gate, mlp.up);
    }
  });
  expect_seen("modern", "the final norm", [](ModelSpec& spec) { spec.final_norm = {}; });
}

}  // namespace
}  // namespace strata::inference
