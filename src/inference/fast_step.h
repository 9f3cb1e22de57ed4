// What the stages of one step of the fast executor share: the rows, the residual stream and
// buffers. Sized on one thread before the team starts; during the step every thread runs the same
// stages, each on its share, with a barrier between stages.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/threads.h"
#include "inference/block/distance_bias.h"
#include "inference/block/rope.h"
#include "inference/executor.h"
#include "inference/kv_cache.h"
#include "tensor/attention.h"
#include "tensor/packed.h"
#include "tensor/rows.h"

namespace strata::inference {

// Floats that only grow; contents are lost when they do.
class FloatBuffer {
 public:
  void resize(int64_t n) {
    const size_t bytes = static_cast<size_t>(n) * sizeof(float);
    if (bytes > buffer_.size()) buffer_ = tensor::Buffer(bytes);
  }
  float* data() const { return buffer_.as<float>(); }

 private:
  tensor::Buffer buffer_;
};

// Consecutive rows of one sequence.
struct RowSpan {
  int32_t first_row = 0;
  int32_t n_rows = 0;
  int32_t first_position = 0;
  const KvCache::Pages* pages = nullptr;
  const KvCache::Pages* source = nullptr;  // of the sequence's source, where the model reads any
  int32_t n_source = 0;                    // its tokens
};

// The kinds of input that some matrices read.
struct InputKinds {
  bool int8 = false;
  bool bf16 = false;
  bool f32 = false;

  void include(const tensor::PackedMatrix& matrix) {
    int8 = int8 || matrix.wants(tensor::InputKind::int8);
    bf16 = bf16 || matrix.wants(tensor::InputKind::bf16);
    f32 = f32 || matrix.wants(tensor::InputKind::f32);
  }
};

// Inputs of matrices, shared by all that have the same width and kinds.
class InputPool {
 public:
  // At load. Returns the index of the input for this matrix.
  size_t add(const tensor::PackedMatrix& matrix);
  // Of one with `copies` rows for each row of a step.
  size_t add(int64_t width, InputKinds kinds, int64_t copies);
  void resize(int64_t n_rows);
  tensor::InputRows& at(size_t index) { return inputs_[index]; }

 private:
  std::vector<tensor::InputRows> inputs_;
  std::vector<int64_t> widths_;
  std::vector<int64_t> copies_;
};

// Cosines and sines of a step's rows, shared by all layers with the same angles.
class AnglePool {
 public:
  size_t add(RopeAngles angles);  // at load
  void resize(int64_t n_rows);
  void fill(int64_t row, int32_t position, int32_t long_text);
  const float* cosines(size_t index, int64_t row) const {
    return values_.data() + offsets_[index] + row * width_;
  }
  const float* sines(size_t index, int64_t row) const {
    return cosines(index, row) + angles_[index].n_pairs();
  }

 private:
  std::vector<RopeAngles> angles_;
  std::vector<int64_t> offsets_;  // in a row
  int64_t width_ = 0;             // floats a row
  FloatBuffer values_;
};

// The attention of a step, whose plan all layers with the same shapes and window share.
class AttentionPool {
 public:
  size_t add(const tensor::AttentionSetup& setup);  // at load
  void begin_step() { planned_.assign(planned_.size(), false); }
  // Before the team starts. Only the first layer of a step plans.
  void plan(size_t index, const tensor::AttentionSetup& setup,
            std::span<const tensor::AttentionSpan> spans);
  tensor::AttentionStep& at(size_t index) { return steps_[index]; }

 private:
  std::vector<tensor::AttentionSetup> setups_;
  std::vector<tensor::AttentionStep> steps_;
  std::vector<bool> planned_;
};

struct Step {
  explicit Step(Team& t) : team(t) {}

  Team& team;
  std::span<const Row> rows;
  std::vector<RowSpan> spans;
  InputPool inputs;
  AnglePool angles;
  AttentionPool attention;
  AttentionPool source_attention;
  DistanceTables distances;
  FloatBuffer stream;     // [rows x n_embd], the residual stream
  FloatBuffer delta;      // [rows x n_embd], what the block adds
  FloatBuffer normed;     // [rows x n_embd], the input of a block that reads floats
  FloatBuffer opened;     // [rows x the other streams and side inputs], of models with streams
  FloatBuffer predicted;  // [rows x n_embd], the first stream before a layer's blocks
  FloatBuffer wide;       // [rows x the widest matrix output]
  FloatBuffer mixed;      // [rows x the widest of what blocks keep between two stages]

  int64_t n_rows() const { return static_cast<int64_t>(rows.size()); }
  Share rows_of(int thread) const { return share_of(n_rows(), thread, team.size()); }
  // The same, moved so that positions 2i and 2i + 1 of a sequence, which lie side by side in a
  // cache, are one thread's.
  Share paired_rows_of(int thread) const;
  // Of the longest sequence, these rows included.
  int32_t n_positions() const;
  // The rows' spans with the pages of one layer of the cache.
  void set_spans(size_t cache_layer, std::vector<tensor::AttentionSpan>& out) const;
};

}  // namespace strata::inference
