// Encoders against transformers: tiny models whose weights are a formula, and the hidden states,
// pooled vectors and scores that tests/oracle/tiny_encoders.py wrote.
#include <array>
#include <cmath>
#include <cstring>
#include <functional>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/json.h"
#include "core/os.h"
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

constexpr double kTolerance = 1e-5;      // of the float32 executor, relative to root mean squares
constexpr double kFastTolerance = 1e-5;  // weights of these files are exact in float32

using models::Attention;
using models::ModelSpec;
using Change = std::function<void(ModelSpec&)>;
using MakeExecutor = decltype(&make_float32_executor);

struct Vector {
  double norm = 0;
  std::vector<std::pair<size_t, double>> values;
};

struct Sequence {
  std::vector<int32_t> ids, types;
  std::vector<std::pair<int32_t, Vector>> states;  // by position
  Vector pooled;
  std::vector<double> scores;

  EmbeddingInput input() const {
    const auto second = std::find(types.begin(), types.end(), 1);
    const auto begin = second == types.end() ? 0 : static_cast<int32_t>(second - types.begin());
    return {ids, begin};
  }
};

Vector read_vector(const json::value& entry) {
  Vector vector;
  vector.norm = entry.at("norm").to_number<double>();
  for (const auto& [index, value] : entry.at("values").as_object()) {
    vector.values.emplace_back(std::stoul(std::string(index)), value.to_number<double>());
  }
  return vector;
}

// In units of the expected root mean square.
double distance(const Vector& expected, std::span<const float> actual) {
  const double unit = expected.norm / std::sqrt(static_cast<double>(actual.size()));
  double squares = 0;
  for (const float value : actual) squares += double{value} * double{value};
  double worst = std::abs(std::sqrt(squares) / expected.norm - 1);
  for (const auto& [index, value] : expected.values) {
    const double off = std::abs(double{actual[index]} - value) / unit;
    worst = std::isfinite(off) ? std::max(worst, off) : 1e9;
  }
  return worst;
}

json::value fixture_of(const std::string& name) {
  return parse_json(
      read_file(STRATA_SOURCE_DIR "/src/inference/testdata/encoder_" + name + ".json"));
}

// As float32, which the fast executor keeps: of bfloat16 it would round what they are multiplied
// with, too.
models::SafeEntry widened(const models::SafeEntry& entry) {
  models::SafeEntry wide{entry.name, "F32", entry.shape, {}};
  wide.bytes.resize(2 * entry.bytes.size());
  for (size_t i = 0; i < entry.bytes.size(); i += 2) {  // a bfloat16 is a float's upper half
    std::memcpy(&wide.bytes[2 * i + 2], &entry.bytes[i], 2);
  }
  return wide;
}

class Reference {
 public:
  // `without`: of a folder's fixture the feature that config.json switches off.
  explicit Reference(const std::string& name, const Change& change = {},
                     std::string_view without = {}) {
    const json::value parsed = fixture_of(name);
    for (const auto& entry : parsed.at("sequences").as_array()) {
      Sequence sequence;
      sequence.ids = json::value_to<std::vector<int32_t>>(entry.at("ids"));
      sequence.types = json::value_to<std::vector<int32_t>>(entry.at("types"));
      for (const auto& state : entry.at("states").as_array()) {
        sequence.states.emplace_back(state.at("position").to_number<int32_t>(), read_vector(state));
      }
      sequence.pooled = read_vector(entry.at("pooled"));
      if (const auto* scores = entry.as_object().if_contains("scores")) {
        sequence.scores = json::value_to<std::vector<double>>(*scores);
      }
      sequences.push_back(std::move(sequence));
    }
    auto built = std::make_shared<models::Model>();
    if (parsed.as_object().contains("config")) {
      built->file = open_folder(parsed.as_object(), without);
    } else {
      bytes_ = models::formula_model(parsed.as_object()).build();
      built->file = models::parse_gguf(bytes_);
    }
    built->spec = models::describe_model(*built->file);
    if (change) change(built->spec);
    model = built;
  }

  std::vector<Embedding> embed(MakeExecutor make, int32_t max_rows, int n_threads = 1) const {
    const auto executor = make(model, {.n_threads = n_threads});
    Embedder embedder(model, *executor, max_rows);
    std::vector<EmbeddingInput> inputs;
    for (const Sequence& sequence : sequences) inputs.push_back(sequence.input());
    std::vector<Embedding> results;
    embedder.add(1, inputs, [&](std::vector<Embedding>&& embeddings, const Error* error) {
      EXPECT_EQ(error, nullptr) << (error ? error->message() : "");
      results = std::move(embeddings);
    });
    while (!embedder.idle()) embedder.step();
    return results;
  }

  std::shared_ptr<const models::Model> model;
  std::vector<Sequence> sequences;

 private:
  std::shared_ptr<const models::ModelFile> open_folder(const json::object& fixture,
                                                       std::string_view without) {
    json::object config = fixture.at("config").as_object();
    if (!without.empty()) {
      for (const auto& [field, value] : fixture.at("without").at(without).as_object()) {
        config[field] = value;
      }
    }
    std::vector<models::SafeEntry> entries;
    for (const auto& [name, shape] : fixture.at("hf_tensors").as_object()) {
      entries.push_back(
          widened(models::formula_entry(name, json::value_to<std::vector<uint64_t>>(shape))));
    }
    write_file_atomic(folder_->path() / "config.json", to_json(config));
    write_file_atomic(folder_->path() / "model.safetensors", models::safetensors_bytes(entries));
    if (const json::value* modules = fixture.if_contains("modules")) write(modules->as_object());
    return models::translate(std::make_shared<models::HfFolder>(folder_->path()));
  }

  // Files beside the model's: JSON, or, of an object's "tensors", safetensors.
  void write(const json::object& modules) const {
    for (const auto& [file, content] : modules) {
      const auto path = folder_->path() / std::string(file);
      std::filesystem::create_directories(path.parent_path());
      if (!path.string().ends_with(".safetensors")) {
        write_file_atomic(path, to_json(content));
        continue;
      }
      std::vector<models::SafeEntry> entries;
      for (const auto& [name, shape] : content.as_object()) {
        const auto dims = json::value_to<std::vector<uint64_t>>(shape);
        entries.push_back(models::formula_entry(std::string(file) + "/" + std::string(name), dims));
        entries.back().name = std::string(name);
      }
      write_file_atomic(path, models::safetensors_bytes(entries));
    }
  }

  // Outlives the model, which maps its files.
  std::shared_ptr<strata::testing::TempFolder> folder_ =
      std::make_shared<strata::testing::TempFolder>();
  std::vector<std::byte> bytes_;
};

// The worst distance of the hidden states of all sequences, run together in one step.
double states_off(const Reference& reference, MakeExecutor make) {
  const auto executor = make(reference.model, {});
  std::vector<Row> rows;
  for (const Sequence& sequence : reference.sequences) {
    const SequenceId id = executor->create_sequence();
    for (size_t i = 0; i < sequence.ids.size(); ++i) {
      Row row{sequence.ids[i], static_cast<int32_t>(i), id};
      row.wants_state = true;
      row.type = sequence.types[i];
      rows.push_back(row);
    }
  }
  EXPECT_TRUE(executor->step(rows).empty());
  const auto width = static_cast<size_t>(reference.model->spec.n_embd);
  EXPECT_EQ(executor->states().size(), rows.size() * width);
  double worst = 0;
  size_t first = 0;
  for (const Sequence& sequence : reference.sequences) {
    for (const auto& [position, expected] : sequence.states) {
      const size_t row = first + static_cast<size_t>(position);
      worst = std::max(worst, distance(expected, executor->states().subspan(row * width, width)));
    }
    first += sequence.ids.size();
  }
  return worst;
}

double vectors_off(const Reference& reference, MakeExecutor make) {
  const auto results = reference.embed(make, 64);
  EXPECT_EQ(results.size(), reference.sequences.size());
  double worst = 0;
  for (size_t i = 0; i < results.size(); ++i) {
    const Sequence& sequence = reference.sequences[i];
    worst = std::max(worst, distance(sequence.pooled, results[i].vector));
    EXPECT_EQ(results[i].scores.size(), sequence.scores.size());
    for (size_t s = 0; s < sequence.scores.size(); ++s) {
      worst = std::max(worst, std::abs(double{results[i].scores[s]} - sequence.scores[s]));
    }
  }
  return worst;
}

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
