#include "modify/folder_rows.h"

#include <algorithm>
#include <cmath>

#include "tensor/dequant.h"

namespace strata::modify {

using models::Change;
using models::HfPart;

RowsOfBlock::RowsOfBlock(const models::HfBlock& block, Change change,
                         const models::QkvGroups& heads)
    : block_(block), change_(change), heads_(heads), cols_(block.parts[0].cols) {
  for (const HfPart& part : block.parts) n_rows_ += part.rows;
}

void RowsOfBlock::read(const models::ModelFile& file, uint64_t row, float* out) const {
  size_t index = 0;
  if (block_.in_turn) {
    index = row % block_.parts.size();
    row /= block_.parts.size();
  } else {
    while (row >= block_.parts[index].rows) row -= block_.parts[index++].rows;
  }
  if (change_ == Change::pairs) row = models::row_in_pairs(row, heads_.head_dim);
  if (change_ == Change::grouped_qkv) row = models::row_in_qkv(row, heads_);
  const HfPart& part = block_.parts[index];
  if (part.source == nullptr) {
    std::fill_n(out, cols_, 0.0f);
    return;
  }
  const models::TensorInfo& source = *part.source;
  const uint64_t first = (part.matrix * part.rows + row) * cols_;
  const auto bytes = file.bytes(source, tensor::bytes_of(source.type, first),
                                tensor::bytes_of(source.type, cols_));
  tensor::dequantize_row(source.type, bytes.view.data(), out, static_cast<int64_t>(cols_));
  for (uint64_t i = 0; i < cols_; ++i) {
    if (change_ == Change::one_plus) out[i] -= 1.0f;
    if (change_ == Change::minus_exp) out[i] = std::log(-out[i]);
  }
}

}  // namespace strata::modify
