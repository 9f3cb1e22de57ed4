// For test programs: a model whose weights are a formula, with the answers that another program
// gave for it, and how far an executor is from them when the sequences come whole, token by token,
// or in uneven batches.
#pragma once

#include <cmath>
#include <cstdint>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/json.h"
#include "inference/executor.h"
#include "models/family/family.h"
#include "models/model.h"

namespace strata::inference {

constexpr double kTolerance = 1e-4;  // relative to the root mean square of the row

struct Answer {
  int32_t position = 0;
  double norm = 0;
  std::vector<std::pair<size_t, double>> logits;
  std::vector<std::vector<int32_t>> experts;  // [mixtures of experts][used], ascending
};

struct Sequence {
  std::vector<int32_t> source;  // of a model with an encoder
  std::vector<int32_t> ids;
  std::vector<Answer> answers;
};

// src/inference/testdata/NAME.json
inline json::value read_fixture(const std::string& name);

class Reference {
 public:
  using Change = std::function<void(models::ModelSpec&)>;
  using Open = std::function<std::shared_ptr<const models::ModelFile>()>;

  // `fixture` holds "sequences"; each executor runs a model opened anew.
  Reference(const json::value& fixture, Open open, bool has_experts);

  const std::vector<Sequence>& sequences() const { return sequences_; }
  size_t n_vocab() const { return n_vocab_; }
  std::unique_ptr<Executor> executor(const Change& change = {});

 private:
  void read_sequence(const json::value& entry);

  Open open_;
  std::vector<Sequence> sequences_;
  size_t n_vocab_ = 0;
  bool has_experts_ = false;
};

// The largest distance of a logit from the answer, relative to the root mean square of its row.
// Experts other than the answer's fail the test, but of a model that is `changed`.
inline double prefill(Reference& reference, const Reference::Change& change = {},
                      bool changed = false);
inline double decode(Reference& reference);
inline double uneven_batches(Reference& reference);

inline json::value read_fixture(const std::string& name) {
  std::ifstream file(STRATA_SOURCE_DIR "/src/inference/testdata/" + name + ".json");
  std::stringstream text;
  text << file.rdbuf();
  return parse_json(text.str());
}

inline Reference::Reference(const json::value& fixture, Open open, bool has_experts)
    : open_(std::move(open)), has_experts_(has_experts) {
  for (const auto& entry : fixture.at("sequences").as_array()) read_sequence(entry);
}

inline std::unique_ptr<Executor> Reference::executor(const Change& change) {
  auto model = std::make_shared<models::Model>();
  model->file = open_();
  model->spec = models::describe_model(*model->file);
  n_vocab_ = static_cast<size_t>(model->spec.n_vocab);
  if (change) change(model->spec);
  return make_float32_executor(model, {});
}

inline void Reference::read_sequence(const json::value& entry) {
  Sequence sequence;
  if (const auto* source = entry.as_object().if_contains("source")) {
    sequence.source = json::value_to<std::vector<int32_t>>(*source);
  }
  for (const auto& id : entry.at("ids").as_array()) {
    sequence.ids.push_back(id.to_number<int32_t>());
  }
  for (const auto& item : entry.at("answers").as_array()) {
    Answer answer;
    answer.position = item.at("position").to_number<int32_t>();
    answer.norm = item.at("norm").to_number<double>();
    for (const auto& [index, logit] : item.at("logits").as_object()) {
      answer.logits.emplace_back(std::stoul(std::string(index)), logit.to_number<double>());
    }
    if (const auto* experts = item.as_object().if_contains("experts")) {
      answer.experts = json::value_to<std::vector<std::vector<int32_t>>>(*experts);
    }
    EXPECT_EQ(!answer.experts.empty(), has_experts_) << "which experts the oracle chose";
    sequence.answers.push_back(std::move(answer));
  }
  sequences_.push_back(std::move(sequence));
}

// Largest distance from the oracle over the answers at one position, in units of the row's root
// mean square; 0 where the fixture keeps none.
inline double distance(const Sequence& sequence, int32_t position, std::span<const float> logits) {
  double worst = 0;
  for (const Answer& answer : sequence.answers) {
    if (answer.position != position) continue;
    const double unit = answer.norm / std::sqrt(static_cast<double>(logits.size()));
    double squares = 0;
    for (const float logit : logits) squares += double{logit} * double{logit};
    worst = std::max(worst, std::abs(std::sqrt(squares) / answer.norm - 1));
    for (const auto& [index, expected] : answer.logits) {
      const double off = std::abs(double{logits[index]} - expected) / unit;
      worst = std::isfinite(off) ? std::max(worst, off) : 1e9;
    }
  }
  return worst;
}

// The experts of this row of a step must be the oracle's; none of a model without.
inline void expect_experts(const Sequence& sequence, int32_t position, size_t row,
                           const std::vector<std::vector<int32_t>>& chosen) {
  for (const Answer& answer : sequence.answers) {
    if (answer.position != position) continue;
    ASSERT_EQ(chosen.size(), answer.experts.size());
    for (size_t i = 0; i < chosen.size(); ++i) {
      const size_t n_used = answer.experts[i].size();
      ASSERT_GE(chosen[i].size(), (row + 1) * n_used);
      const auto begin = chosen[i].begin() + static_cast<std::ptrdiff_t>(row * n_used);
      EXPECT_EQ(std::vector<int32_t>(begin, begin + static_cast<std::ptrdiff_t>(n_used)),
                answer.experts[i])
          << "mixture " << i << ", position " << position;
    }
  }
}

// One step's rows and what to compare them with.
struct Step {
  std::vector<Row> rows;
  std::vector<const Sequence*> of;

  void add(const Sequence& sequence, SequenceId id, int32_t begin, int32_t end) {
    for (int32_t position = begin; position < end; ++position) {
      rows.push_back({sequence.ids[static_cast<size_t>(position)], position, id, true});
      of.push_back(&sequence);
    }
  }

  // The worst distance. Of a changed model other experts than the oracle's may be right.
  double run(Executor& executor, size_t n_vocab, bool changed = false) const {
    const std::span<const float> logits = executor.step(rows);
    EXPECT_EQ(logits.size(), rows.size() * n_vocab);
    double worst = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      worst =
          std::max(worst, distance(*of[i], rows[i].position, logits.subspan(i * n_vocab, n_vocab)));
      if (!changed) expect_experts(*of[i], rows[i].position, i, executor.chosen_experts());
    }
    return worst;
  }
};

inline int32_t size_of(const Sequence& sequence) {
  return static_cast<int32_t>(sequence.ids.size());
}

// Sequences that are about to begin; sources are read together.
inline std::vector<SequenceId> begin(Executor& executor, std::span<const Sequence> sequences) {
  std::vector<SequenceId> ids;
  std::vector<Source> sources;
  for (const Sequence& sequence : sequences) {
    ids.push_back(executor.create_sequence(size_of(sequence)));
    if (!sequence.source.empty()) sources.push_back({ids.back(), sequence.source});
  }
  if (!sources.empty()) executor.encode(sources);
  return ids;
}

// Each sequence whole, in one step of its own.
inline double prefill(Reference& reference, const Reference::Change& change, bool changed) {
  const auto executor = reference.executor(change);
  double worst = 0;
  for (const Sequence& sequence : reference.sequences()) {
    Step step;
    step.add(sequence, begin(*executor, {&sequence, 1})[0], 0, size_of(sequence));
    worst = std::max(worst, step.run(*executor, reference.n_vocab(), changed || change != nullptr));
  }
  return worst;
}

// One token a step.
inline double decode(Reference& reference) {
  const auto executor = reference.executor();
  double worst = 0;
  for (const Sequence& sequence : reference.sequences()) {
    const SequenceId id = begin(*executor, {&sequence, 1})[0];
    for (int32_t at = 0; at < size_of(sequence); ++at) {
      Step step;
      step.add(sequence, id, at, at + 1);
      worst = std::max(worst, step.run(*executor, reference.n_vocab()));
    }
  }
  return worst;
}

// All sequences at once, each in chunks of its own size, so that prefill and decode rows of
// different lengths share steps.
inline double uneven_batches(Reference& reference) {
  const auto executor = reference.executor();
  const auto& sequences = reference.sequences();
  const std::vector<SequenceId> ids = begin(*executor, sequences);
  std::vector<int32_t> done(sequences.size(), 0);
  double worst = 0;
  while (true) {
    Step step;
    for (size_t i = 0; i < sequences.size(); ++i) {
      const int32_t chunk = i == 0 ? 1 : i == 1 ? 4 : 7;
      const int32_t end = std::min(size_of(sequences[i]), done[i] + chunk);
      step.add(sequences[i], ids[i], done[i], end);
      done[i] = end;
    }
    if (step.rows.empty()) return worst;
    worst = std::max(worst, step.run(*executor, reference.n_vocab()));
  }
}

}  // namespace strata::inference
