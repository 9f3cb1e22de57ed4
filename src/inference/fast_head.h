// What stands behind the last layer of the fast executor: from rows of the stream to the logits of
// those that want them, through what a model that fills in masks has in front of its head.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inference/fast_step.h"
#include "inference/fast_weights.h"
#include "inference/few_allowed.h"
#include "inference/head_screen.h"
#include "models/family/spec.h"

namespace strata::inference {

class FastHead {
 public:
  // spec and step must outlive it.
  FastHead(const models::ModelSpec& spec, Step& step) : spec_(spec), step_(step) {}

  // At load. n_choosable: rows of the head that are tokens. Nothing where the model has no head.
  void load(Packer& packer, int32_t n_choosable);
  const tensor::PackedMatrix& matrix() const { return head_.matrix; }
  int64_t weight_bytes() const;

  // Before the team starts.
  void prepare(std::span<const Row> rows);
  bool is_wanted() const { return !rows_.empty(); }
  // On every thread, behind a barrier.
  void run(const PackedNorm& final_norm, int thread);
  // Of the step, [wanted rows x n_vocab].
  std::span<const float> logits() const {
    return {logits_.data(), rows_.size() * static_cast<size_t>(spec_.n_vocab)};
  }

 private:
  // The head's input of this thread's share of the wanted rows.
  void take_states(const PackedNorm& final_norm, Share share);
  void take_transformed(const PackedNorm& final_norm, Share share, int thread);
  void multiply(int thread);
  void finish(int thread);  // bias, scale, soft cap

  const models::ModelSpec& spec_;
  Step& step_;
  PackedLinear head_;
  InputPool inputs_;
  size_t input_ = 0;
  FewAllowed few_;
  HeadScreen screen_;
  // Of a model that fills in masks.
  PackedLinear dense_;
  PackedNorm dense_norm_;
  size_t dense_input_ = 0;
  FloatBuffer hidden_;                // [wanted rows x n_embd]
  std::vector<int64_t> rows_;         // that want logits
  std::vector<WantedLogits> wanted_;  // of them
  FloatBuffer logits_;
};

}  // namespace strata::inference
