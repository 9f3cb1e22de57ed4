#include "tensor/kv_page.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/error.h"
#include "tensor/half.h"
#include "tensor/ops.h"

namespace strata::tensor {
namespace {

constexpr int64_t kScaleBytes = sizeof(float);

// Where an element stands, in bytes from the page's begin; of int4 in four bits from `shift` on.
struct Cell {
  int64_t byte = 0;
  int shift = 0;
};

template <KvFormat kFormat>
Cell key_cell(const KvShape& shape, int32_t slot, int32_t d) {
  const int64_t block = int64_t{slot / 16 * 16} * shape.padded_dim();
  if constexpr (kFormat == KvFormat::bf16)
    return {2 * (block + d / 2 * 32 + slot % 16 * 2 + d % 2)};
  if constexpr (kFormat == KvFormat::int8) return {block + d * 16 + slot % 16};
  return {block / 2 + d / 2 * 16 + slot % 16, d % 2 * 4};
}
template <KvFormat kFormat>
Cell value_cell(const KvShape& shape, int32_t slot, int32_t d) {
  const int64_t pair = int64_t{shape.page_positions() + slot / 2 * 2} * shape.padded_dim();
  if constexpr (kFormat == KvFormat::bf16) return {2 * (pair + d * 2 + slot % 2)};
  if constexpr (kFormat == KvFormat::int8) return {pair + d / 16 * 32 + slot % 2 * 16 + d % 16};
  return {pair / 2 + d, slot % 2 * 4};
}

// The bits of an element, as many as the format has.
template <KvFormat kFormat>
uint32_t bits_at(const uint8_t* page, const Cell& cell) {
  const uint8_t* at = page + cell.byte;
  if constexpr (kFormat == KvFormat::bf16) {
    uint16_t both;
    std::memcpy(&both, at, sizeof both);
    return both;
  }
  if constexpr (kFormat == KvFormat::int8) return at[0];
  return (uint32_t{at[0]} >> cell.shift) & 15;
}
template <KvFormat kFormat>
void set_bits(uint8_t* page, const Cell& cell, uint32_t bits) {
  uint8_t* at = page + cell.byte;
  if constexpr (kFormat == KvFormat::int4) {
    const uint32_t others = at[0] & ~(15U << cell.shift);
    at[0] = static_cast<uint8_t>(others | bits << cell.shift);
    return;
  }
  if constexpr (kFormat == KvFormat::bf16) {
    const auto both = static_cast<uint16_t>(bits);  // one store
    std::memcpy(at, &both, sizeof both);
  } else {
    at[0] = static_cast<uint8_t>(bits);
  }
}

int64_t k_scale(const KvShape& shape, int32_t slot) {
  return int64_t{2} * shape.page_positions() * shape.padded_dim() * shape.element_bits() / 8 +
         slot * kScaleBytes;
}
int64_t v_scale(const KvShape& shape, int32_t slot) {
  return k_scale(shape, shape.page_positions() + slot);
}

// n floats to sixteen levels, numbered from 0 on: number i stands for 2 i - 15 times what is
// returned, which is as of KernelSet::to_int8. No float is farther from its level than half a step.
float to_int4(const float* x, int32_t n, int8_t* numbers) {
  float largest = 0.0f;
  float nothing = 0.0f;  // NaN for what is not finite
  for (int32_t i = 0; i < n; ++i) {
    largest = std::max(largest, std::fabs(x[i]));
    nothing += x[i] - x[i];
  }
  const bool finite = nothing == 0.0f;
  if (!finite || largest < 1.5e-36f) {
    std::fill_n(numbers, n, int8_t{0});
    return finite ? 0.0f : std::numeric_limits<float>::quiet_NaN();
  }
  const float inverse = 8.0f / largest;
  for (int32_t i = 0; i < n; ++i) {
    numbers[i] = static_cast<int8_t>(std::min(15, static_cast<int>(x[i] * inverse + 8.0f)));
  }
  return largest / 16.0f;
}

// A key or value, rotated and made whole numbers; lives until the next call of the thread.
struct Whole {
  std::span<const int8_t> numbers;  // one a dim, as they are stored
  float scale;
};
Whole rotated_whole(const KvShape& shape, const float* x) {
  const auto width = static_cast<size_t>(shape.padded_dim());
  thread_local std::vector<float> rotated;
  thread_local std::vector<int8_t> numbers;
  rotated.assign(x, x + shape.head_dim);
  rotated.resize(width, 0.0f);
  numbers.resize(width);
  kernels().rotate(shape.padded_dim(), rotated.data());
  const auto whole = shape.format == KvFormat::int8
                         ? kernels().to_int8(rotated.data(), shape.padded_dim(), numbers.data())
                         : to_int4(rotated.data(), shape.padded_dim(), numbers.data());
  return {numbers, whole};
}

template <KvFormat kFormat>
void write_whole(const KvShape& shape, uint8_t* page, int32_t slot, const float* k,
                 const float* v) {
  const Whole key = rotated_whole(shape, k);
  for (int32_t d = 0; d < shape.padded_dim(); ++d) {
    set_bits<kFormat>(page, key_cell<kFormat>(shape, slot, d),
                      static_cast<uint8_t>(key.numbers[static_cast<size_t>(d)]));
  }
  std::memcpy(page + k_scale(shape, slot), &key.scale, kScaleBytes);
  const Whole value = rotated_whole(shape, v);
  for (int32_t d = 0; d < shape.padded_dim(); ++d) {
    set_bits<kFormat>(page, value_cell<kFormat>(shape, slot, d),
                      static_cast<uint8_t>(value.numbers[static_cast<size_t>(d)]));
  }
  std::memcpy(page + v_scale(shape, slot), &value.scale, kScaleBytes);
}

void write_bf16(const KvShape& shape, uint8_t* page, int32_t slot, const float* k, const float* v) {
  constexpr auto kFormat = KvFormat::bf16;
  for (int32_t d = 0; d < shape.head_dim; ++d) {
    set_bits<kFormat>(page, key_cell<kFormat>(shape, slot, d), f32_to_bf16(k[d]));
    if (shape.shared_dims > 0) continue;
    set_bits<kFormat>(page, value_cell<kFormat>(shape, slot, d), f32_to_bf16(v[d]));
  }
}

// What is stored as `bits` stands for.
template <KvFormat kFormat>
float number_of(uint32_t bits) {
  if constexpr (kFormat == KvFormat::bf16) return bf16_to_f32(static_cast<uint16_t>(bits));
  if constexpr (kFormat == KvFormat::int8) return static_cast<float>(static_cast<int8_t>(bits));
  return 2.0f * static_cast<float>(bits) - 15.0f;
}

// bits(d) of each dim, times the scale at `scale_bytes`, rotated back.
template <KvFormat kFormat, typename Bits>
void read_whole(const KvShape& shape, const uint8_t* scale_bytes, const Bits& bits, float* x) {
  float scale = 0.0f;
  std::memcpy(&scale, scale_bytes, sizeof(scale));
  std::vector<float> rotated;
  for (int32_t d = 0; d < shape.padded_dim(); ++d) {
    rotated.push_back(number_of<kFormat>(bits(d)) * scale);
  }
  kernels().rotate(shape.padded_dim(), rotated.data());
  std::copy_n(rotated.begin(), shape.head_dim, x);
}

template <KvFormat kFormat>
void read(const KvShape& shape, const uint8_t* page, int32_t slot, float* k, float* v) {
  const auto key = [&](int32_t d) {
    return bits_at<kFormat>(page, key_cell<kFormat>(shape, slot, d));
  };
  const auto value = [&](int32_t d) {
    return bits_at<kFormat>(page, value_cell<kFormat>(shape, slot, d));
  };
  if (shape.is_scaled()) {
    read_whole<kFormat>(shape, page + k_scale(shape, slot), key, k);
    read_whole<kFormat>(shape, page + v_scale(shape, slot), value, v);
    return;
  }
  for (int32_t d = 0; d < shape.head_dim; ++d) {
    k[d] = number_of<kFormat>(key(d));
    if (shape.shared_dims == 0) v[d] = number_of<kFormat>(value(d));
  }
  std::copy_n(k, shape.shared_dims, v);
}

template <KvFormat kFormat>
void copy_cell(const uint8_t* from, const Cell& cell, uint8_t* to) {
  set_bits<kFormat>(to, cell, bits_at<kFormat>(from, cell));
}

// The positions of a page that copy_kv takes, elements and V only as far as pairs go.
template <KvFormat kFormat>
void copy_elements(const KvShape& shape, const uint8_t* from, int32_t n, uint8_t* to) {
  const int64_t width = shape.padded_dim() * shape.element_bits() / 8;
  const bool shared = shape.shared_dims > 0;
  // Keys behind the last are never looked at, but where they are values too.
  const int64_t n_keys = shared ? n / 16 * 16 : (n + 15) / 16 * 16;
  std::copy_n(from, n_keys * width, to);
  if (shared) {
    for (auto slot = static_cast<int32_t>(n_keys); slot < n; ++slot) {
      for (int32_t d = 0; d < shape.padded_dim(); ++d) {
        copy_cell<kFormat>(from, key_cell<kFormat>(shape, slot, d), to);
      }
    }
    return;
  }
  const int64_t values = shape.page_positions() * width;
  std::copy_n(from + values, n / 2 * 2 * width, to + values);
  if (n % 2 == 0) return;
  for (int32_t d = 0; d < shape.padded_dim(); ++d) {  // its neighbour in the pair stays zero
    copy_cell<kFormat>(from, value_cell<kFormat>(shape, n - 1, d), to);
  }
}

}  // namespace

std::string_view kv_format_name(KvFormat format) {
  switch (format) {
    case KvFormat::bf16:
      return "bf16";
    case KvFormat::int8:
      return "int8";
    case KvFormat::int4:
      return "int4";
  }
  CHECK(false);
  return "";
}

KvFormat kv_format_of(std::string_view text, std::string_view what) {
  constexpr std::pair<std::string_view, KvFormat> kWords[] = {
      {"bf16", KvFormat::bf16}, {"int8", KvFormat::int8}, {"int4", KvFormat::int4},
      {"f16", KvFormat::bf16},  {"q8_0", KvFormat::int8}, {"q4_0", KvFormat::int4}};
  for (const auto& [word, format] : kWords) {
    if (word == text) return format;
  }
  throw Error(Code::invalid_argument,
              fmt::format("{} is '{}', it must be bf16, int8 or int4 (or f16 for bf16, q8_0 for "
                          "int8, q4_0 for int4)",
                          what, text),
              "int8 takes about half the memory of bf16, int4 about a quarter");
}

void write_kv(const KvShape& shape, uint16_t* page, int32_t slot, const float* k, const float* v) {
  CHECK(slot >= 0 && slot < shape.page_positions());
  CHECK(shape.shared_dims == 0 || shape.format == KvFormat::bf16);
  auto* bytes = reinterpret_cast<uint8_t*>(page);
  switch (shape.format) {
    case KvFormat::bf16:
      return write_bf16(shape, bytes, slot, k, v);
    case KvFormat::int8:
      return write_whole<KvFormat::int8>(shape, bytes, slot, k, v);
    case KvFormat::int4:
      return write_whole<KvFormat::int4>(shape, bytes, slot, k, v);
  }
}

void copy_kv(const KvShape& shape, const uint16_t* from, int32_t n, uint16_t* to) {
  n = std::min(n, shape.page_positions());
  if (n <= 0) return;
  const auto* source = reinterpret_cast<const uint8_t*>(from);
  auto* target = reinterpret_cast<uint8_t*>(to);
  switch (shape.format) {
    case KvFormat::bf16:
      return copy_elements<KvFormat::bf16>(shape, source, n, target);
    case KvFormat::int8:
      copy_elements<KvFormat::int8>(shape, source, n, target);
      break;
    case KvFormat::int4:
      copy_elements<KvFormat::int4>(shape, source, n, target);
      break;
  }
  for (const int64_t at : {k_scale(shape, 0), v_scale(shape, 0)}) {
    std::copy_n(source + at, n * kScaleBytes, target + at);
  }
}

void read_kv(const KvShape& shape, const uint16_t* page, int32_t slot, float* k, float* v) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(page);
  switch (shape.format) {
    case KvFormat::bf16:
      return read<KvFormat::bf16>(shape, bytes, slot, k, v);
    case KvFormat::int8:
      return read<KvFormat::int8>(shape, bytes, slot, k, v);
    case KvFormat::int4:
      return read<KvFormat::int4>(shape, bytes, slot, k, v);
  }
}

}  // namespace strata::tensor
