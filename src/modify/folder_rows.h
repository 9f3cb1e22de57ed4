// Rows of a folder's tensors as floats, of where they lie in the file.
#pragma once

#include <cstdint>

#include "models/family/inverse_translation.h"

namespace strata::modify {

class RowsOfBlock {
 public:
  // `block` must outlive this; its own transposition is not done here.
  RowsOfBlock(const models::HfBlock& block, models::Change change, const models::QkvGroups& heads);

  uint64_t cols() const { return cols_; }
  uint64_t n_rows() const { return n_rows_; }
  // cols() floats of row `row` of n_rows(). Thread-safe.
  void read(const models::ModelFile& file, uint64_t row, float* out) const;

 private:
  const models::HfBlock& block_;
  models::Change change_;
  models::QkvGroups heads_;
  uint64_t cols_ = 0, n_rows_ = 0;
};

}  // namespace strata::modify
