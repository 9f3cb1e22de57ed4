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

[[noreturn]] void refuse(const ModelFile& file, const TensorSlot& slot, const std::string& why) {
  throw Error(Code::invalid_argument,
              fmt::format("tensor '{}' {}", file.stored_name(slot.name), why),
              "the file does not fit the architecture it names: fetch it again");
}

// The first block that holds a bad scale in these rows of the weight, counted from its beginning;
// -1: none.
int64_t first_bad_block(const Weight& weight, Share rows) {
  const tensor::DType type = weight.place.type();
  const auto& info = tensor::dtype_info(type);
  const auto cols = static_cast<int64_t>(weight.place.cols);
  const int64_t row_blocks = cols / info.block_weights;
  const int64_t block = tensor::first_bad_scale(
      type, weight.bytes.data() + rows.begin * row_blocks * static_cast<int64_t>(info.block_bytes),
      (rows.end - rows.begin) * cols);
  return block < 0 ? -1 : rows.begin * row_blocks + block;
}

void refuse_block(const Weight& weight, int64_t block) {
  if (block < 0) return;
  const TensorInfo& tensor = *weight.place.stored;
  const auto& info = tensor::dtype_info(tensor.type);
  const uint64_t at =
      (weight.place.begin / info.block_bytes + static_cast<uint64_t>(block)) * info.block_weights;
  throw Error(Code::invalid_argument,
              fmt::format("tensor '{}' ({}) holds a number that is NaN or infinite: row {}, "
                          "column {}",
                          tensor.name, info.name, at / tensor.cols(), at % tensor.cols()),
              "the file is damaged or was converted wrongly: fetch it again");
}

}  // namespace

WeightPlace locate_weight(const ModelFile& file, const TensorSlot& slot) {
  const TensorInfo* stored = file.find_tensor(slot.name);
  if (stored == nullptr) refuse(file, slot, "is missing");
  const uint64_t rows = or_same(slot.stored_rows, slot.rows);
  const uint64_t cols = or_same(slot.stored_cols, slot.cols);
  if (stored->shape != std::array<uint64_t, 4>{cols, rows, slot.stored_matrices, 1}) {
    std::string expected = fmt::format("{} x {}", cols, rows);
    if (slot.stored_matrices != 1) expected += fmt::format(" x {}", slot.stored_matrices);
    refuse(file, slot,
           fmt::format("has shape {} x {} x {} x {}, expected {}", stored->shape[0],
                       stored->shape[1], stored->shape[2], stored->shape[3], expected));
  }
  const bool rows_fit = slot.rows <= rows && slot.row_begin <= rows - slot.rows;
  const bool cols_fit = slot.cols <= cols && slot.col_begin <= cols - slot.cols;
  if (!rows_fit || !cols_fit || (rows != 1 && slot.cols != cols) ||
      slot.matrix >= slot.stored_matrices) {
    refuse(file, slot, "is used by a slice beyond its end");
  }
  const uint32_t block = tensor::dtype_info(stored->type).block_weights;
  if (slot.col_begin % block != 0 || slot.cols % block != 0) {
    refuse(file, slot,
           fmt::format("has type {}, whose blocks of {} can't be cut at {}",
                       tensor::dtype_info(stored->type).name, block, slot.col_begin));
  }
  const uint64_t row = slot.matrix * rows + slot.row_begin;
  const uint64_t begin = tensor::bytes_of(stored->type, row * cols + slot.col_begin);
  const uint64_t size = tensor::bytes_of(stored->type, slot.rows * slot.cols);
  return {stored, slot.rows, slot.cols, begin, size};
}

Weight find_weight(const ModelFile& file, const TensorSlot& slot) {
  const WeightPlace place = locate_weight(file, slot);
  TensorBytes bytes = file.bytes(*place.stored, place.begin, place.size_bytes);
  return {place, bytes.view, std::move(bytes.owner)};
}

std::vector<float> dequantize(const Weight& weight) {
  std::vector<float> out(static_cast<size_t>(weight.place.rows * weight.place.cols));
  tensor::dequantize_row(weight.place.type(), weight.bytes.data(), out.data(),
                         static_cast<int64_t>(out.size()));
  return out;
}

void refuse_bad_scales(const Weight& weight) {
  refuse_block(weight, first_bad_block(weight, {0, static_cast<int64_t>(weight.place.rows)}));
}

void refuse_bad_scales(const Weight& weight, Team& team) {
  std::vector<int64_t> found(static_cast<size_t>(team.size()), -1);
  team.run([&](int thread) {
    const Share share = share_of(static_cast<int64_t>(weight.place.rows), thread, team.size());
    found[static_cast<size_t>(thread)] = first_bad_block(weight, share);
  });
  const auto bad = std::ranges::find_if(found, [](int64_t block) { return block >= 0; });
  if (bad != found.end()) refuse_block(weight, *bad);
}

}  // namespace strata::models
