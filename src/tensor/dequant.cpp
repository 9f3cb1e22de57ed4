#include "tensor/dequant.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "tensor/dequant_blocks.h"

namespace strata::tensor {
namespace {

template <typename T>
float as_float(const uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof(value));
  return static_cast<float>(value);
}
float bf16_at(const uint8_t* at) {
  return bf16_to_f32(blocks::load_u16(at));
}
template <float (*load)(const uint8_t*)>
void single(const uint8_t* at, float* out) {
  *out = load(at);
}

constexpr int kNoScale = -1;

// How one type is read: its block function and where its f16 scales (and minima) stand in a block.
struct Reader {
  DType type;
  void (*block)(const uint8_t*, float*);
  int scale_at = kNoScale;
  int min_at = kNoScale;
};

constexpr std::array kReaders{
    Reader{DType::f32, single<as_float<float>>},   Reader{DType::f16, single<blocks::load_f16>, 0},
    Reader{DType::bf16, single<bf16_at>},          Reader{DType::f64, single<as_float<double>>},
    Reader{DType::i8, single<as_float<int8_t>>},   Reader{DType::i16, single<as_float<int16_t>>},
    Reader{DType::i32, single<as_float<int32_t>>}, Reader{DType::i64, single<as_float<int64_t>>},
    Reader{DType::q4_0, blocks::q4_0, 0},          Reader{DType::q4_1, blocks::q4_1, 0, 2},
    Reader{DType::q5_0, blocks::q5_0, 0},          Reader{DType::q5_1, blocks::q5_1, 0, 2},
    Reader{DType::q8_0, blocks::q8_0, 0},          Reader{DType::q8_1, blocks::q8_1, 0, 2},
    Reader{DType::q2_k, blocks::q2_k, 80, 82},     Reader{DType::q3_k, blocks::q3_k, 108},
    Reader{DType::q4_k, blocks::q4_k, 0, 2},       Reader{DType::q5_k, blocks::q5_k, 0, 2},
    Reader{DType::q6_k, blocks::q6_k, 208},        Reader{DType::q8_k, blocks::q8_k},
    Reader{DType::iq1_s, blocks::iq1_s, 0},        Reader{DType::iq1_m, blocks::iq1_m},
    Reader{DType::iq2_xxs, blocks::iq2_xxs, 0},    Reader{DType::iq2_xs, blocks::iq2_xs, 0},
    Reader{DType::iq2_s, blocks::iq2_s, 0},        Reader{DType::iq3_xxs, blocks::iq3_xxs, 0},
    Reader{DType::iq3_s, blocks::iq3_s, 0},        Reader{DType::iq4_nl, blocks::iq4_nl, 0},
    Reader{DType::iq4_xs, blocks::iq4_xs, 0},      Reader{DType::tq1_0, blocks::tq1_0, 52},
    Reader{DType::tq2_0, blocks::tq2_0, 64},       Reader{DType::mxfp4, blocks::mxfp4},
    Reader{DType::nvfp4, blocks::nvfp4},           Reader{DType::q1_0, blocks::q1_0, 0},
    Reader{DType::q2_0, blocks::q2_0, 0},
};

const Reader& reader_of(DType type) {
  for (const auto& reader : kReaders) {
    if (reader.type == type) return reader;
  }
  throw Error(Code::internal,
              fmt::format("no reader for tensor type {}", static_cast<uint32_t>(type)));
}

int64_t count_blocks(DType type, int64_t n_weights) {
  const auto& info = dtype_info(type);
  if (n_weights < 0 || n_weights % info.block_weights != 0) {
    throw Error(Code::invalid_argument,
                fmt::format("{} weights are not a multiple of {}'s block of {}", n_weights,
                            info.name, info.block_weights));
  }
  return n_weights / info.block_weights;
}

bool is_finite_f16(uint16_t half) {
  return (half & 0x7C00u) != 0x7C00u;
}

bool is_bad_block(const Reader& reader, const uint8_t* block) {
  switch (reader.type) {
    case DType::f32:
    case DType::q8_k:
      return !std::isfinite(as_float<float>(block));
    case DType::f64:
      return !std::isfinite(as_float<double>(block));
    case DType::bf16:
      return !std::isfinite(bf16_at(block));
    case DType::iq1_m:
      return !is_finite_f16(blocks::iq1_m_scale_bits(block));
    case DType::mxfp4:
      return block[0] == 0xFF;  // the format's NaN
    case DType::nvfp4:
      return std::any_of(block, block + 4, [](uint8_t d) { return (d & 0x7F) == 0x7F; });
    default:
      break;
  }
  const auto bad = [&](int at) {
    return at != kNoScale && !is_finite_f16(blocks::load_u16(block + at));
  };
  return bad(reader.scale_at) || bad(reader.min_at);
}

}  // namespace

void dequantize_row(DType type, const std::byte* src, float* dst, int64_t n_weights) {
  const Reader& reader = reader_of(type);
  const auto& info = dtype_info(type);
  const int64_t n_blocks = count_blocks(type, n_weights);
  const auto* block = reinterpret_cast<const uint8_t*>(src);
  switch (type) {  // loops without a call for every weight
    case DType::f32:
      std::memcpy(dst, src, static_cast<size_t>(n_weights) * sizeof(float));
      return;
    case DType::f16:
      for (int64_t i = 0; i < n_weights; ++i) dst[i] = blocks::load_f16(block + 2 * i);
      return;
    case DType::bf16:
      for (int64_t i = 0; i < n_weights; ++i) dst[i] = bf16_at(block + 2 * i);
      return;
    default:
      break;
  }
  for (int64_t i = 0; i < n_blocks; ++i) {
    reader.block(block, dst);
    block += info.block_bytes;
    dst += info.block_weights;
  }
}

int64_t first_bad_scale(DType type, const std::byte* src, int64_t n_weights) {
  const Reader& reader = reader_of(type);
  const auto& info = dtype_info(type);
  const int64_t n_blocks = count_blocks(type, n_weights);
  const auto* block = reinterpret_cast<const uint8_t*>(src);
  for (int64_t i = 0; i < n_blocks; ++i) {
    if (is_bad_block(reader, block + i * info.block_bytes)) return i;
  }
  return -1;
}

}  // namespace strata::tensor
