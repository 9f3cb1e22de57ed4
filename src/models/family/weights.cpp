#include "models/family/weights.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "tensor/dequant.h"

namespace strata::models {
namespace {

uint64_t or_same(uint64_t stored, uint64_t own) {
  return stored == 0 ? own : stored;
}

[[noreturn]] void refuse(const TensorSlot& slot, const std::string& why) {
  throw Error(Code::invalid_argument, fmt::format("tensor '{}' {}", slot.name, why),
              "the file does not fit the architecture it names: fetch it again");
}

// The first block that holds a bad scale in these rows of the tensor, counted from its beginning;
// -1: none.
int64_t first_bad_block(const TensorInfo& tensor, Share rows) {
  const auto& info = tensor::dtype_info(tensor.type);
  const auto cols = static_cast<int64_t>(tensor.cols());
  const int64_t row_blocks = cols / info.block_weights;
  const int64_t block = tensor::first_bad_scale(
      tensor.type,
      tensor.data.data() + rows.begin * row_blocks * static_cast<int64_t>(info.block_bytes),
      (rows.end - rows.begin) * cols);
  return block < 0 ? -1 : rows.begin * row_blocks + block;
}

void refuse_block(const TensorInfo& tensor, int64_t block) {
  if (block < 0) return;
  const auto& info = tensor::dtype_info(tensor.type);
  const uint64_t weight = static_cast<uint64_t>(block) * info.block_weights;
  throw Error(Code::invalid_argument,
              fmt::format("tensor '{}' ({}) holds a number that is NaN or infinite: row {}, "
                          "column {}",
                          tensor.name, info.name, weight / tensor.cols(), weight % tensor.cols()),
              "the file is damaged or was converted wrongly: fetch it again");
}

}  // namespace

Weight find_weight(const GgufFile& file, const TensorSlot& slot) {
  const TensorInfo* stored = file.find_tensor(slot.name);
  if (stored == nullptr) refuse(slot, "is missing");
  const uint64_t rows = or_same(slot.stored_rows, slot.rows);
  const uint64_t cols = or_same(slot.stored_cols, slot.cols);
  if (stored->shape != std::array<uint64_t, 4>{cols, rows, slot.stored_matrices, 1}) {
    std::string expected = fmt::format("{} x {}", cols, rows);
    if (slot.stored_matrices != 1) expected += fmt::format(" x {}", slot.stored_matrices);
    refuse(slot, fmt::format("has shape {} x {} x {} x {}, expected {}", stored->shape[0],
                             stored->shape[1], stored->shape[2], stored->shape[3], expected));
  }
  const bool rows_fit = slot.rows <= rows && slot.row_begin <= rows - slot.rows;
  const bool cols_fit = slot.cols <= cols && slot.col_begin <= cols - slot.cols;
  if (!rows_fit || !cols_fit || (rows != 1 && slot.cols != cols) ||
      slot.matrix >= slot.stored_matrices) {
    refuse(slot, "is used by a slice beyond its end");
  }
  const uint32_t block = tensor::dtype_info(stored->type).block_weights;
  if (slot.col_begin % block != 0 || slot.cols % block != 0) {
    refuse(slot, fmt::format("has type {}, whose blocks of {} can't be cut at {}",
                             tensor::dtype_info(stored->type).name, block, slot.col_begin));
  }
  const uint64_t row = slot.matrix * rows + slot.row_begin;
  const uint64_t begin = tensor::bytes_of(stored->type, row * cols + slot.col_begin);
  const uint64_t size = tensor::bytes_of(stored->type, slot.rows * slot.cols);
  return {stored->type, slot.rows, slot.cols, stored->data.subspan(begin, size), stored};
}

std::vector<float> dequantize(const Weight& weight) {
  std::vector<float> out(static_cast<size_t>(weight.rows * weight.cols));
  tensor::dequantize_row(weight.type, weight.bytes.data(), out.data(),
                         static_cast<int64_t>(out.size()));
  return out;
}

void refuse_bad_scales(const TensorInfo& tensor) {
  refuse_block(tensor, first_bad_block(tensor, {0, static_cast<int64_t>(tensor.rows())}));
}

void refuse_bad_scales(const TensorInfo& tensor, Team& team) {
  std::vector<int64_t> found(static_cast<size_t>(team.size()), -1);
  team.run([&](int thread) {
    const Share share = share_of(static_cast<int64_t>(tensor.rows()), thread, team.size());
    found[static_cast<size_t>(thread)] = first_bad_block(tensor, share);
  });
  const auto bad = std::ranges::find_if(found, [](int64_t block) { return block >= 0; });
  if (bad != found.end()) refuse_block(tensor, *bad);
}

}  // namespace strata::models
