#include "tensor/quantize.h"

#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>

#include "core/error.h"
#include "tensor/dequant.h"
#include "tensor/quantize_blocks.h"

namespace strata::tensor {
namespace {

// No half float scales more by far, and no sum of a search overflows below.
constexpr float kGreatest = 1e9f;

// How one type is written: by formula, by search, or both, the formula where nothing is weighted.
struct Writer {
  DType type;
  void (*formula)(const float*, uint8_t*, int64_t n);
  void (*search)(const float*, const float*, uint8_t*);
};

void copy(const float* x, uint8_t* out, int64_t n) {
  std::memcpy(out, x, static_cast<size_t>(n) * sizeof(float));
}
template <void (*to_block)(const float*, uint8_t*), int block_bytes>
void in_blocks(const float* x, uint8_t* out, int64_t n) {
  for (int64_t i = 0; i < n; i += 32, out += block_bytes) to_block(x + i, out);
}
template <uint16_t (*convert)(float)>
void to_half(const float* x, uint8_t* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) blocks::store_u16(out + 2 * i, convert(x[i]));
}

constexpr std::array kWriters{
    Writer{DType::f32, copy, nullptr},
    Writer{DType::f16, to_half<f32_to_f16>, nullptr},
    Writer{DType::bf16, to_half<f32_to_bf16>, nullptr},
    Writer{DType::q8_0, in_blocks<blocks::to_q8_0, 34>, nullptr},
    Writer{DType::q4_0, in_blocks<blocks::to_q4_0, 18>, blocks::search_q4_0},
    Writer{DType::q4_1, in_blocks<blocks::to_q4_1, 20>, blocks::search_q4_1},
    Writer{DType::q5_0, in_blocks<blocks::to_q5_0, 22>, blocks::search_q5_0},
    Writer{DType::q5_1, in_blocks<blocks::to_q5_1, 24>, blocks::search_q5_1},
    Writer{DType::q2_k, nullptr, blocks::search_q2_k},
    Writer{DType::q3_k, nullptr, blocks::search_q3_k},
    Writer{DType::q4_k, nullptr, blocks::search_q4_k},
    Writer{DType::q5_k, nullptr, blocks::search_q5_k},
    Writer{DType::q6_k, nullptr, blocks::search_q6_k},
    Writer{DType::iq4_nl, nullptr, blocks::search_iq4_nl},
    Writer{DType::iq4_xs, nullptr, blocks::search_iq4_xs},
    Writer{DType::mxfp4, nullptr, blocks::search_mxfp4},
};

const Writer* writer_of(DType type) {
  const auto found = std::ranges::find(kWriters, type, &Writer::type);
  return found == kWriters.end() ? nullptr : &*found;
}

// Whole calls of the search, then what is left in a buffer that zeros fill up.
void search_row(const Writer& writer, const DTypeInfo& info, const float* x, const float* w,
                uint8_t* out, int64_t n) {
  static constexpr auto kAlike = [] {
    std::array<float, kSearched> ones{};
    ones.fill(1.0f);
    return ones;
  }();
  const size_t call_bytes = kSearched / info.block_weights * info.block_bytes;
  for (; n >= kSearched; n -= kSearched, x += kSearched, out += call_bytes) {
    writer.search(x, w == nullptr ? kAlike.data() : w, out);
    if (w != nullptr) w += kSearched;
  }
  if (n == 0) return;
  std::array<float, kSearched> rest{};
  std::array<float, kSearched> counts{};
  std::array<uint8_t, kSearched * 2> written{};
  std::copy_n(x, n, rest.begin());
  std::copy_n(w == nullptr ? kAlike.data() : w, n, counts.begin());
  writer.search(rest.data(), counts.data(), written.data());
  std::memcpy(out, written.data(), static_cast<size_t>(n) / info.block_weights * info.block_bytes);
}

// Whether all are numbers of at most this magnitude.
bool all_within(const float* x, int64_t n, float greatest) {
  bool within = true;
  for (int64_t i = 0; i < n; ++i) within &= std::fabs(x[i]) <= greatest;
  return within;
}

void write_row(const Writer& writer, const DTypeInfo& info, const float* x, const float* w,
               uint8_t* out, int64_t n) {
  if (writer.formula == nullptr || (w != nullptr && writer.search != nullptr)) {
    search_row(writer, info, x, w, out, n);
    return;
  }
  writer.formula(x, out, n);
}

}  // namespace

bool can_quantize(DType type) {
  return writer_of(type) != nullptr;
}

bool quantize_row(DType type, const float* src, std::byte* dst, int64_t n_weights,
                  const float* importance) {
  const Writer* writer = writer_of(type);
  const auto& info = dtype_info(type);
  if (writer == nullptr || n_weights < 0 || n_weights % info.block_weights != 0) {
    throw Error(Code::invalid_argument,
                fmt::format("{} weights cannot be written as {}", n_weights, info.name));
  }
  if (!all_within(src, n_weights, info.block_weights == 1 ? FLT_MAX : kGreatest)) return false;
  write_row(*writer, info, src, importance, reinterpret_cast<uint8_t*>(dst), n_weights);
  return first_bad_scale(type, dst, n_weights) < 0;
}

}  // namespace strata::tensor
