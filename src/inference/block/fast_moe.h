// The mixture of experts of the fast executor: rows gathered by expert, so that each expert that
// some row goes to is read once a step, and no other. The router is float32, since the nearest two
// experts of a row may lie closer together than int8 can tell.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "inference/block/fast_mlp.h"
#include "inference/block/packed_mlp.h"
#include "inference/block/routing.h"
#include "inference/fast_step.h"

namespace strata::inference {

class FastMoe {
 public:
  FastMoe(const models::Moe& moe, int64_t n_embd, Packer& packer, Step& step);

  void take_input(const PackedNorm& norm, const float* stream, Step& step, int64_t row) const;
  const std::vector<float>& output_bias() const { return no_bias_; }
  int64_t weight_bytes() const;
  int64_t wide_width() const;
  int64_t mixed_width() const;
  // The experts of the last step's rows, [rows x n_used], ascending in a row.
  std::span<const int32_t> chosen() const { return chosen_; }

  // Before the team starts.
  void prepare(const Step& step);
  // Every thread: from step.normed to step.delta; begins after a barrier and ends without one.
  void run(Step& step, int thread);

 private:
  // One row at one expert.
  struct Visit {
    int32_t row = 0;
    int32_t expert = 0;
    float weight = 0.0f;
  };

  int64_t n_experts() const { return static_cast<int64_t>(experts_.size()); }
  int64_t n_visits() const { return static_cast<int64_t>(visits_.size()); }
  int64_t hidden_width() const { return experts_[0].up.matrix.rows(); }
  void compute_logits(Step& step, int thread) const;
  void choose_rows(const Step& step, int thread);
  void sort_visits();
  void gather_inputs(Step& step, int thread) const;
  void activate(Step& step, int thread) const;
  void add_experts(Step& step, int thread) const;
  // Calls visit(expert, its first visit, how many) for each that has any, in index order.
  template <class F>
  void for_each_used(const F& visit) const;

  Routing routing_;
  int64_t n_embd_ = 0;
  std::vector<float> router_, router_bias_;  // [n_experts x n_embd], [n_experts] or empty
  std::vector<PackedMlp> experts_;
  std::optional<FastMlp> shared_;
  std::vector<float> shared_gate_;  // [n_embd], or empty
  bool weighs_inputs_ = false;
  std::vector<float> no_bias_;
  size_t input_ = 0, hidden_input_ = 0;  // rows in the order of visits_

  // Of the running step.
  std::vector<int32_t> chosen_;
  std::vector<float> weights_;         // of chosen_
  std::vector<float> shared_weights_;  // [rows]
  std::vector<Visit> visits_;          // by expert, then by row
  FloatBuffer weighed_;                // [threads x n_embd], where inputs are weighed
  std::vector<int64_t> first_visit_;   // [n_experts + 1]
};

}  // namespace strata::inference
