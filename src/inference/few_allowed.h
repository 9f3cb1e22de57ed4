// The logits of rows that may go on with few tokens: only the row blocks of the head that hold one
// of these are computed, by the kernel that computes all of them. Where a schema says the next name
// or sign, a step so reads its layers and next to nothing of the head (docs/engine/head.md).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/threads.h"
#include "inference/executor.h"
#include "tensor/packed.h"

namespace strata::inference {

class FewAllowed {
 public:
  // On one thread, before a step. n_blocks: row blocks of the head.
  void prepare(std::span<const WantedLogits> wanted, int64_t n_blocks);
  // The rows that want the head as a whole, and those between them.
  Share rest() const { return rest_; }
  // Logits of all rows, [rows][head.rows()]; those of rest() are left alone. Both on every thread,
  // with a barrier between them.
  void clear(float* logits, int64_t n_logits, int thread, int n_threads) const;
  void run(const tensor::PackedMatrix& head, const tensor::InputRows& input, float* logits,
           int thread, int n_threads) const;

 private:
  struct RowBlock {
    int64_t row = 0;
    int64_t block = 0;
  };
  bool add(int64_t row, const TokenMask& allowed, int64_t n_blocks);

  int64_t n_rows_ = 0;
  Share rest_{};
  std::vector<RowBlock> blocks_;  // to compute, of rows outside of rest_
};
}  // namespace strata::inference
