// The logits of the likeliest tokens without reading the whole output head: its upper five bits
// give each logit an upper bound, and only what could be among the n greatest is computed, by the
// kernel that computes all (docs/engine/head.md). The n greatest are exact, bit for bit; the others
// are exact or -inf.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/threads.h"
#include "inference/fast_step.h"
#include "models/family/spec.h"
#include "tensor/dtype.h"
#include "tensor/packed.h"

namespace strata::inference {

// Whether the head of this model is packed in planes: large, of 8 bits, its logits used as they
// are.
bool is_screened(const models::ModelSpec& spec, tensor::DType head_type);

class HeadScreen {
 public:
  HeadScreen() = default;
  // n_choosable: rows of the head that are tokens.
  HeadScreen(const tensor::PackedMatrix& head, int32_t n_choosable, const Team& team);

  // On one thread, before a step that wants these of its rows from first_row on.
  void prepare(std::span<const WantedLogits> wanted, int64_t first_row = 0);
  // Whether this step is screened. Before input_is_ready(), as far as known.
  bool used() const;
  // Row `row` of the head's input stands. By the thread that wrote it.
  void input_is_ready(const tensor::InputRows& input, int64_t row);
  // On every thread, behind a barrier. Passes one itself. Logits: [rows][n_vocab], of which those
  // of prepare() are written.
  void run(const tensor::PackedMatrix& head, const tensor::InputRows& input, float* logits,
           Team& team, int thread);

 private:
  struct Ranked {
    float value = 0.0f;
    int64_t index = 0;
  };
  // What one thread needs.
  struct alignas(64) Place {
    std::vector<Ranked> likeliest;              // blocks of its share
    std::vector<uint8_t> rows_of;               // per block of its share: who wants it
    std::vector<tensor::BlockOfRows> blocks;    // to compute
    std::vector<std::vector<Ranked>> greatest;  // per row, of the logits it computed
    std::vector<float> all;                     // of every thread
    int64_t n_computed = 0;                     // blocks of the last step, in full
  };
  // Whether it pays of late.
  struct Worth {
    float computed = 0.0f;  // share of the head that was computed after all, averaged
    int32_t pause = 0;      // steps until the next try
  };
  void learn();
  static void offer(std::vector<Ranked>& best, size_t most, Ranked ranked);
  // Logits: as of run().
  void compute_likeliest(const tensor::PackedMatrix& head, const tensor::InputRows& input,
                         int64_t row, Share share, float* logits, Place& place);
  void compute_rest(const tensor::PackedMatrix& head, const tensor::InputRows& input, Share share,
                    float* logits, Place& place);
  float threshold_of(size_t row, Place& place) const;

  int64_t n_blocks_ = 0;  // 0: the head is not in planes
  int32_t n_choosable_ = 0;
  int64_t n_groups_ = 0;
  int64_t first_row_ = 0;
  std::vector<WantedLogits> wanted_;
  std::vector<uint8_t> bounded_;             // per row
  std::vector<tensor::ScreenGroup> groups_;  // [rows][n_groups_]
  FloatBuffer likely_, bound_;
  std::vector<Place> places_;
  Worth worths_[2];  // where very few logits are wanted, and where more are
  size_t kind_ = 0;  // which of them the present step is
};

}  // namespace strata::inference
