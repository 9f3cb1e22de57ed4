// Sequences to vectors: runs them through an executor, many a step, and pools their final hidden
// states; scores them where the model has a head for that; guesses what their masks hide. Belongs
// to the executor's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "inference/embedding.h"
#include "inference/executor.h"

namespace strata::inference {

// From a pooled vector to scores, in float32.
class ScoreStage {
 public:
  ScoreStage(const models::Model& model, const models::ScoreHead& head);
  std::vector<float> scores(std::span<const float> pooled) const;

 private:
  models::ScoreHead head_;
  std::vector<float> dense_, dense_bias_, norm_, norm_bias_, out_, out_bias_;
};

// A dense layer behind the pooling, in float32.
class DenseLayer {
 public:
  DenseLayer(const models::Model& model, const models::DenseStage& stage);
  std::vector<float> apply(std::span<const float> x) const;

 private:
  models::DenseStage stage_;
  std::vector<float> weight_, bias_;
};

class Embedder {
 public:
  // max_rows: tokens of a step; a sequence of a model that sees it whole may be longer.
  Embedder(std::shared_ptr<const models::Model> model, Executor& executor, int32_t max_rows);
  ~Embedder();

  // Checks nothing: see check_embedding_inputs. The sink is called once, from step() or cancel().
  void add(uint64_t id, std::vector<EmbeddingInput> inputs, EmbeddingSink sink);
  // Its sink hears of Error{cancelled}. Nothing where it has ended.
  void cancel(uint64_t id);
  void cancel_all();
  bool idle() const;
  int32_t n_begun() const;  // requests of which something has run
  // One step of the executor.
  void step();

 private:
  struct Job;
  struct Running;
  void begin_sequences(int64_t& n_rows);
  bool masks_fit(const EmbeddingInput& input) const;
  bool has_room_for(SequenceId sequence, int32_t length) const;
  bool give_back_last();
  void add_rows(Running& running, int64_t limit);
  void take_results(std::span<const float> logits);
  void guess(Running& running, std::span<const float> logits);
  void pool(Running& running, std::span<const float> states);
  void finish(Running& running);
  void make_vector(const Running& running, Embedding& result) const;
  void fail_all(const Error& error);
  void fail(const Job& job, const Error& error);
  std::unique_ptr<Job> take(const Job& job);

  std::shared_ptr<const models::Model> model_;
  Executor& executor_;
  const int64_t max_rows_;
  const bool is_causal_;
  std::vector<DenseLayer> dense_;  // none for a model that scores
  std::optional<ScoreStage> score_stage_;
  std::deque<std::unique_ptr<Job>> jobs_;  // in the order they came
  std::vector<Running> running_;           // begun and not at their end
  std::vector<Row> rows_;                  // of the step
  bool crowded_ = false;                   // nothing begins until something has ended
};

}  // namespace strata::inference
