// Several streams a row (spec.h's Streams and StreamMix) of the fast executor. The first is
// step.stream; the others and the side inputs of all layers lie in step.opened, row by row.
#pragma once

#include <vector>

#include "inference/fast_step.h"
#include "inference/fast_weights.h"

namespace strata::inference {

class FastStreams {
 public:
  FastStreams(const models::ModelSpec& spec, Packer& packer, Step& step);

  int64_t opened_width() const { return open_.matrix.rows(); }
  int64_t weight_bytes() const;

  // Of a row whose embedding is in step.stream.
  void take_embedding(Step& step, int64_t row) const;
  // Every thread: step.opened of its rows. Begins after a barrier and ends without one.
  void open(Step& step, int thread) const;
  // Every thread: what goes into the final norm takes the place of step.stream. Begins and ends
  // with a barrier.
  void close(Step& step, int thread) const;

 private:
  float* stream(const Step& step, int64_t row) const { return step.stream.data() + row * n_embd_; }
  float* opened(const Step& step, int64_t row) const {
    return step.opened.data() + row * opened_width();
  }
  void add_table(int32_t token, float* sides) const;

  int64_t n_embd_, n_others_, n_side_, n_sides_;
  float table_scale_;
  PackedLinear open_;  // the other streams, then the side inputs
  std::vector<PackedLinear> close_;
  models::Weight table_;  // in the file
  PackedNorm norm_;
  size_t open_input_ = 0, close_input_ = 0;
};

// What a layer does with the streams behind its blocks, and before them.
class FastMix {
 public:
  FastMix(const models::ModelSpec& spec, size_t layer, Packer& packer, Step& step);

  // Before the layer's blocks. step.delta's row is scratch.
  void predict(Step& step, int64_t row) const;
  // Behind them: the correction of a row, and the input of its gate.
  void take_input(const PackedNorm& none, const float* stream, Step& step, int64_t row) const;
  const std::vector<float>& output_bias() const { return project_.bias; }
  int64_t weight_bytes() const {
    return static_cast<int64_t>(gate_.matrix.bytes() + project_.matrix.bytes());
  }
  int64_t wide_width() const { return gate_.matrix.rows(); }
  int64_t mixed_width() const { return 0; }

  void prepare(const Step& /*step*/) {}
  // Every thread: from the gates' inputs to step.delta; begins after a barrier and ends without
  // one.
  void run(Step& step, int thread) const;
  // A row of step.delta goes to all streams but the first.
  void finish(Step& step, int64_t row) const;

 private:
  void modes(const float* x, float* scratch, float* out) const;
  float* others(const Step& step, int64_t row) const {
    return step.opened.data() + row * opened_width_;
  }

  int64_t n_, n_embd_, opened_width_, side_begin_;
  PackedNorm router_norm_, norm_;
  std::vector<float> router_, predict_, correct_, scale_;
  PackedLinear gate_, project_;
  size_t gate_input_ = 0, project_input_ = 0;
};

}  // namespace strata::inference
