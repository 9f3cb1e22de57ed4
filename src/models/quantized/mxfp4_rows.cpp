#include "models/quantized/mxfp4_rows.h"

#include "core/check.h"

namespace strata::models {
namespace {

using tensor::DType;

constexpr uint64_t kBlock = 32;  // weights
constexpr uint64_t kBytes = 16;  // of a block, without its exponent
constexpr std::byte kNoNumber{0xFF};

// Number i of a block as it is stored.
uint8_t stored_nibble(const std::byte* block, size_t i) {
  const auto both = static_cast<uint8_t>(block[i / 2]);
  return i % 2 == 0 ? both & 15 : static_cast<uint8_t>(both >> 4);
}

class Mxfp4Rows : public RowMaker {
 public:
  Mxfp4Rows(const SafeTensor& blocks, const SafeTensor& scales, std::string scales_name,
            uint64_t rows, uint64_t row_blocks)
      : blocks_(blocks.bytes),
        scales_(scales.bytes),
        scales_name_(std::move(scales_name)),
        rows_(rows),
        row_blocks_(row_blocks) {}

  bool can_make(DType type) const override { return type == DType::mxfp4; }

  void make(DType type, uint64_t matrix, std::span<const uint64_t> rows,
            std::byte* out) const override {
    CHECK(can_make(type));
    for (const uint64_t row : rows) {
      const uint64_t first = (matrix * rows_ + row) * row_blocks_;
      for (uint64_t i = 0; i < row_blocks_; ++i, out += 1 + kBytes) {
        if (scales_[first + i] == kNoNumber) {
          throw Error(Code::invalid_argument,
                      fmt::format("{} holds a scale that is NaN: matrix {}, row {}, block {}",
                                  scales_name_, matrix, row, i),
                      "the file is damaged or was converted wrongly: fetch it again");
        }
        put_block(scales_[first + i], blocks_.data() + (first + i) * kBytes, out);
      }
    }
  }

 private:
  // The exponent, then the lower nibbles' numbers 0 to 15 and the upper ones' 16 to 31.
  static void put_block(std::byte exponent, const std::byte* from, std::byte* to) {
    to[0] = exponent;
    for (size_t i = 0; i < kBytes; ++i) {
      to[1 + i] =
          static_cast<std::byte>(stored_nibble(from, i) | (stored_nibble(from, i + kBytes) << 4));
    }
  }

  std::span<const std::byte> blocks_, scales_;
  std::string scales_name_;
  uint64_t rows_, row_blocks_;
};

}  // namespace

HfWeight mxfp4_weight(const Stored& stored, const std::string& name, const SafeTensor& blocks,
                      const SafeTensor& scales, std::vector<uint64_t> shape) {
  stored.expect_type(blocks, {SafeType::u8});
  stored.expect_type(scales, {SafeType::u8, SafeType::f8_e8m0});
  const uint64_t cols = shape.back();
  if ((shape.size() != 2 && shape.size() != 3) || blocks.bytes.empty() || cols % kBlock != 0) {
    stored.refuse(blocks, "holds rows of {}, no matrices with rows of blocks of {}", cols, kBlock);
  }
  std::vector<uint64_t> wanted = shape;
  wanted.back() = cols / kBlock;
  stored.expect_shape(scales, wanted, "a scale for 32 weights");
  const uint64_t rows = shape[shape.size() - 2];
  auto maker =
      std::make_shared<Mxfp4Rows>(blocks, scales, stored.named(scales), rows, cols / kBlock);
  return {.name = name,
          .type = DType::mxfp4,
          .shape = std::move(shape),
          .maker = std::move(maker),
          .stored = {&blocks, &scales}};
}

}  // namespace strata::models
