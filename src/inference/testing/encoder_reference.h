// For test programs: encoders against transformers. Tiny models whose weights are a formula, and
// the hidden states, pooled vectors and scores of src/inference/testdata/encoder_*.json.
#pragma once

#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/json.h"
#include "core/os.h"
#include "inference/embedder.h"
#include "inference/executor.h"
#include "models/family/family.h"
#include "models/format/gguf.h"
#include "models/testing/formula_model.h"
#include "models/testing/hf_model.h"

namespace strata::inference::encoders {

constexpr double kTolerance = 1e-5;  // of the float32 executor, relative to root mean squares

using MakeExecutor = decltype(&make_float32_executor);
using Change = std::function<void(models::ModelSpec&)>;

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

inline Vector read_vector(const json::value& entry) {
  Vector vector;
  vector.norm = entry.at("norm").to_number<double>();
  for (const auto& [index, value] : entry.at("values").as_object()) {
    vector.values.emplace_back(std::stoul(std::string(index)), value.to_number<double>());
  }
  return vector;
}

// In units of the expected root mean square.
inline double distance(const Vector& expected, std::span<const float> actual) {
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

inline json::value fixture_of(const std::string& name) {
  return parse_json(
      read_file(STRATA_SOURCE_DIR "/src/inference/testdata/encoder_" + name + ".json"));
}

// As float32, which the fast executor keeps: of bfloat16 it would round what they are multiplied
// with, too.
inline models::SafeEntry widened(const models::SafeEntry& entry) {
  models::SafeEntry wide{entry.name, "F32", entry.shape, {}};
  wide.bytes.resize(2 * entry.bytes.size());
  for (size_t i = 0; i < entry.bytes.size(); i += 2) {  // a bfloat16 is a float's upper half
    std::memcpy(&wide.bytes[2 * i + 2], &entry.bytes[i], 2);
  }
  return wide;
}

inline bool is_folder(const json::value& fixture) {
  return fixture.as_object().contains("config");
}

// Files beside the model's: JSON, or, of an object's "tensors", safetensors.
inline void write_modules(const json::object& modules, const fs::path& folder) {
  for (const auto& [file, content] : modules) {
    const auto path = folder / std::string(file);
    fs::create_directories(path.parent_path());
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

// Of a folder's fixture. `without`: the feature that config.json switches off.
inline void write_folder(const json::value& fixture, const fs::path& folder,
                         std::string_view without = {}) {
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
  write_file_atomic(folder / "config.json", to_json(config));
  write_file_atomic(folder / "model.safetensors", models::safetensors_bytes(entries));
  if (const json::value* modules = fixture.as_object().if_contains("modules")) {
    write_modules(modules->as_object(), folder);
  }
}

// A model that is held against a fixture's sequences.
class Reference {
 public:
  Reference(const json::value& fixture, std::shared_ptr<const models::ModelFile> file,
            const Change& change = {}) {
    for (const auto& entry : fixture.at("sequences").as_array()) {
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
    built->file = std::move(file);
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
};

// The worst distance of the hidden states of all sequences, run together in one step.
inline double states_off(const Reference& reference, MakeExecutor make) {
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

inline double vectors_off(const Reference& reference, MakeExecutor make) {
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

}  // namespace strata::inference::encoders
