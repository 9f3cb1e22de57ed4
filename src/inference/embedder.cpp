#include "inference/embedder.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "inference/float32_ops.h"
#include "inference/limits.h"
#include "models/family/weights.h"

namespace strata::inference {

using models::Pooling;

struct Embedder::Job {
  uint64_t id = 0;
  std::vector<EmbeddingInput> inputs;
  EmbeddingSink sink;
  std::vector<Embedding> results;
  size_t n_begun = 0;
  size_t n_done = 0;
};

struct Embedder::Running {
  Job* job = nullptr;
  size_t index = 0;  // of the job's inputs
  SequenceId sequence = 0;
  int32_t n_done = 0;         // tokens of earlier steps
  int32_t n_rows = 0;         // of this step
  std::vector<double> total;  // of the states so far, for the mean

  const EmbeddingInput& input() const { return job->inputs[index]; }
  int32_t length() const { return static_cast<int32_t>(input().ids.size()); }
};

namespace {

std::vector<float> floats_of(const models::Model& model, models::TensorId slot) {
  if (slot == models::kNoTensor) return {};
  const models::Weight weight =
      models::find_weight(*model.file, model.spec.tensors.at(static_cast<size_t>(slot)));
  models::refuse_bad_scales(weight);
  return models::dequantize(weight);
}

// Whether the pooled vector is made of this position's state, too.
bool wants_state(Pooling pooling, int32_t position, int32_t length) {
  return pooling == Pooling::mean || (pooling == Pooling::first && position == 0) ||
         (pooling == Pooling::last && position + 1 == length);
}

const float* or_null(const std::vector<float>& values) {
  return values.empty() ? nullptr : values.data();
}

}  // namespace

ScoreStage::ScoreStage(const models::Model& model, const models::ScoreHead& head)
    : head_(head),
      dense_(floats_of(model, head.dense.weight)),
      dense_bias_(floats_of(model, head.dense.bias)),
      norm_(floats_of(model, head.norm.weight)),
      norm_bias_(floats_of(model, head.norm.bias)),
      out_(floats_of(model, head.out.weight)),
      out_bias_(floats_of(model, head.out.bias)) {}

std::vector<float> ScoreStage::scores(std::span<const float> pooled) const {
  const auto width = static_cast<int64_t>(pooled.size());
  std::vector<float> hidden(pooled.begin(), pooled.end());
  if (!dense_.empty()) {
    matmul(pooled.data(), 1, dense_.data(), width, width, or_null(dense_bias_), hidden.data(), 1);
    for (float& value : hidden) value = activate(head_.activation, value);
    apply_norm(head_.norm.kind, head_.norm.epsilon, or_null(norm_), or_null(norm_bias_), hidden,
               hidden);
  }
  std::vector<float> scores(static_cast<size_t>(head_.n_scores));
  matmul(hidden.data(), 1, out_.data(), head_.n_scores, width, or_null(out_bias_), scores.data(),
         1);
  return scores;
}

DenseLayer::DenseLayer(const models::Model& model, const models::DenseStage& stage)
    : stage_(stage),
      weight_(floats_of(model, stage.linear.weight)),
      bias_(floats_of(model, stage.linear.bias)) {}

std::vector<float> DenseLayer::apply(std::span<const float> x) const {
  std::vector<float> y(static_cast<size_t>(stage_.n_outputs));
  matmul(x.data(), 1, weight_.data(), stage_.n_outputs, stage_.n_inputs, or_null(bias_), y.data(),
         1);
  if (stage_.activation) {
    for (float& value : y) value = activate(*stage_.activation, value);
  }
  return y;
}

Embedder::Embedder(std::shared_ptr<const models::Model> model, Executor& executor, int32_t max_rows)
    : model_(std::move(model)),
      executor_(executor),
      max_rows_(max_rows),
      is_causal_(models::is_causal(model_->spec)) {
  for (const models::DenseStage& stage : model_->spec.dense) dense_.emplace_back(*model_, stage);
  if (model_->spec.scores) score_stage_.emplace(*model_, *model_->spec.scores);
}

Embedder::~Embedder() = default;

void Embedder::add(uint64_t id, std::vector<EmbeddingInput> inputs, EmbeddingSink sink) {
  auto job = std::make_unique<Job>();
  job->id = id;
  job->inputs = std::move(inputs);
  job->sink = std::move(sink);
  job->results.resize(job->inputs.size());
  jobs_.push_back(std::move(job));
}

bool Embedder::idle() const {
  return jobs_.empty();
}

int32_t Embedder::n_begun() const {
  return static_cast<int32_t>(
      std::ranges::count_if(jobs_, [](const auto& job) { return job->n_begun > 0; }));
}

void Embedder::cancel(uint64_t id) {
  const auto job = std::ranges::find_if(jobs_, [&](const auto& each) { return each->id == id; });
  if (job == jobs_.end()) return;
  std::erase_if(running_, [&](const Running& running) {
    if (running.job != job->get()) return false;
    executor_.remove_sequence(running.sequence);
    return true;
  });
  fail(**job, Error(Code::cancelled, "the request was cancelled"));
}

void Embedder::cancel_all() {
  while (!jobs_.empty()) cancel(jobs_.front()->id);
}

// Beside all that what runs will still need.
bool Embedder::has_room_for(SequenceId sequence, int32_t length) const {
  std::vector<Executor::Growth> growth{{sequence, length}};
  for (const Running& running : running_) {
    growth.push_back({running.sequence, running.length() - running.n_done});
  }
  return executor_.fit(growth);
}

// A text alone always has.
bool Embedder::masks_fit(const EmbeddingInput& input) const {
  size_t n = input.masks.size();
  for (const Running& running : running_) n += running.input().masks.size();
  return running_.empty() || n <= kMaxMasks;
}

// As many more sequences as step and cache have room for. The first of a step always has room in
// it, so that none is too long; one that the cache does not hold alone fails.
void Embedder::begin_sequences(int64_t& n_rows) {
  if (crowded_ && !running_.empty()) return;
  for (const auto& job : jobs_) {
    for (; job->n_begun < job->inputs.size(); ++job->n_begun) {
      const auto length = static_cast<int64_t>(job->inputs[job->n_begun].ids.size());
      const bool whole_fits = n_rows + length <= max_rows_;
      const bool any_fits = is_causal_ && n_rows < max_rows_;
      if (n_rows > 0 && !whole_fits && !any_fits) return;
      if (!masks_fit(job->inputs[job->n_begun])) return;
      Running running;
      running.job = job.get();
      running.index = job->n_begun;
      running.sequence = executor_.create_sequence(static_cast<int32_t>(length));
      if (!has_room_for(running.sequence, static_cast<int32_t>(length))) {
        executor_.remove_sequence(running.sequence);
        if (running_.empty()) {
          fail(*job, Error(Code::resource_exhausted,
                           fmt::format("{} tokens do not fit what is free of the cache", length),
                           "try again when fewer requests run, or send less text"));
        }
        return;
      }
      add_rows(running, is_causal_ ? max_rows_ - n_rows : length);
      n_rows += running.n_rows;
      running_.push_back(std::move(running));
    }
  }
}

void Embedder::add_rows(Running& running, int64_t limit) {
  const EmbeddingInput& input = running.input();
  const int32_t begin = running.n_done;
  const auto end = static_cast<int32_t>(std::min<int64_t>(running.length(), begin + limit));
  const Pooling pooling = model_->spec.pooling;
  const bool has_types = model_->spec.n_types > 1;
  for (int32_t position = begin; position < end; ++position) {
    Row row;
    row.token = input.ids[static_cast<size_t>(position)];
    row.position = position;
    row.sequence = running.sequence;
    row.type = has_types && input.second_begin > 0 && position >= input.second_begin ? 1 : 0;
    row.wants_logits = std::ranges::binary_search(input.masks, position);
    row.wants_state = input.masks.empty() && wants_state(pooling, position, running.length());
    rows_.push_back(row);
  }
  running.n_rows = end - begin;
}

void Embedder::step() {
  rows_.clear();
  int64_t n_rows = 0;
  for (Running& running : running_) {
    add_rows(running, max_rows_ - n_rows);
    n_rows += running.n_rows;
  }
  begin_sequences(n_rows);
  if (rows_.empty()) return;
  std::span<const float> logits;
  try {
    logits = executor_.step(rows_);
  } catch (const Error& error) {
    // Answers that are written meanwhile may have taken what was free: fewer at a time.
    if (error.code() == Code::resource_exhausted && give_back_last()) return;
    fail_all(error);
    return;
  }
  take_results(logits);
}

// Forgets the sequence that began last, to begin it again later. False where it is the only one.
bool Embedder::give_back_last() {
  if (running_.size() < 2) return false;
  const Running& last = running_.back();
  executor_.remove_sequence(last.sequence);
  last.job->n_begun = last.index;
  running_.pop_back();
  crowded_ = true;
  return true;
}

void Embedder::take_results(std::span<const float> logits) {
  const auto width = static_cast<size_t>(model_->spec.n_embd);
  const auto n_vocab = static_cast<size_t>(model_->spec.n_vocab);
  std::span<const float> states = executor_.states();
  auto row = rows_.begin();
  for (Running& running : running_) {
    const auto end = row + running.n_rows;
    const auto n_wanted = std::count_if(row, end, [](const Row& r) { return r.wants_state; });
    pool(running, states.first(static_cast<size_t>(n_wanted) * width));
    states = states.subspan(static_cast<size_t>(n_wanted) * width);
    const size_t n_logits = running.input().masks.size() * n_vocab;
    guess(running, logits.first(n_logits));
    logits = logits.subspan(n_logits);
    row = end;
    running.n_done += running.n_rows;
  }
  std::vector<Running> done;
  std::erase_if(running_, [&](Running& running) {
    if (running.n_done < running.length()) return false;
    executor_.remove_sequence(running.sequence);
    done.push_back(std::move(running));
    return true;
  });
  if (!done.empty()) crowded_ = false;
  for (Running& running : done) finish(running);
}

// Of a text that came whole: attention of a model that fills in masks looks both ways.
void Embedder::guess(Running& running, std::span<const float> logits) {
  const auto n_vocab = static_cast<size_t>(model_->spec.n_vocab);
  Embedding& result = running.job->results[running.index];
  for (size_t begin = 0; begin < logits.size(); begin += n_vocab) {
    result.guesses.push_back(guess_token(logits.subspan(begin, n_vocab), *running.input().rules));
  }
}

// Adds in the order of positions, so that pieces and batches change nothing.
void Embedder::pool(Running& running, std::span<const float> states) {
  const auto width = static_cast<size_t>(model_->spec.n_embd);
  if (running.total.empty()) running.total.resize(width);
  for (size_t begin = 0; begin < states.size(); begin += width) {
    for (size_t i = 0; i < width; ++i) running.total[i] += double{states[begin + i]};
  }
}

void Embedder::finish(Running& running) {
  Job& job = *running.job;
  Embedding& result = job.results[running.index];
  if (running.input().masks.empty()) make_vector(running, result);
  if (++job.n_done < job.inputs.size()) return;
  const std::unique_ptr<Job> ended = take(job);
  ended->sink(std::move(ended->results), nullptr);
}

void Embedder::make_vector(const Running& running, Embedding& result) const {
  const double n = model_->spec.pooling == Pooling::mean ? running.length() : 1;
  for (const double value : running.total) {
    result.vector.push_back(static_cast<float>(value / n));
  }
  for (const DenseLayer& layer : dense_) result.vector = layer.apply(result.vector);
  if (score_stage_) result.scores = score_stage_->scores(result.vector);
}

// All that took part in the step.
void Embedder::fail_all(const Error& error) {
  std::vector<Job*> failed;
  for (const Running& running : running_) {
    executor_.remove_sequence(running.sequence);
    if (std::ranges::find(failed, running.job) == failed.end()) failed.push_back(running.job);
  }
  running_.clear();
  for (Job* job : failed) fail(*job, error);
}

// One of which nothing runs.
void Embedder::fail(const Job& job, const Error& error) {
  const std::unique_ptr<Job> gone = take(job);
  gone->sink({}, &error);
}

std::unique_ptr<Embedder::Job> Embedder::take(const Job& job) {
  const auto found =
      std::ranges::find_if(jobs_, [&](const auto& each) { return each.get() == &job; });
  std::unique_ptr<Job> taken = std::move(*found);
  jobs_.erase(found);
  return taken;
}

}  // namespace strata::inference
