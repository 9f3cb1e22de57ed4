#include "tensor/kv_page.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/error.h"
#include "tensor/half.h"
#include "tensor/ops.h"

namespace strata::tensor {
namespace {

constexpr int64_t kScaleBytes = sizeof(float);

// Where dim d of a position stands, in elements from the page's begin.
template <typename Element>
int64_t k_index(const KvShape& shape, int32_t slot, int32_t d) {
  const int64_t block = int64_t{slot / 16 * 16} * shape.padded_dim();
  if constexpr (std::is_same_v<Element, int8_t>) return block + d * 16 + slot % 16;
  return block + d / 2 * 32 + slot % 16 * 2 + d % 2;
}
template <typename Element>
int64_t v_index(const KvShape& shape, int32_t slot, int32_t d) {
  const int64_t pair = int64_t{shape.page_positions() + slot / 2 * 2} * shape.padded_dim();
  if constexpr (std::is_same_v<Element, int8_t>) {
    return pair + d / 16 * 32 + slot % 2 * 16 + d % 16;
  }
  return pair + d * 2 + slot % 2;
}

// In bytes from the page's begin.
int64_t k_scale(const KvShape& shape, int32_t slot) {
  return int64_t{2} * shape.page_positions() * shape.padded_dim() + slot * kScaleBytes;
}
int64_t v_scale(const KvShape& shape, int32_t slot) {
  return k_scale(shape, shape.page_positions() + slot);
}

// A key or value, rotated and made whole numbers; lives until the next call of the thread.
struct Whole {
  std::span<const int8_t> numbers;  // one a dim
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
  const float scale = kernels().to_int8(rotated.data(), shape.padded_dim(), numbers.data());
  return {numbers, scale};
}

void write_int8(const KvShape& shape, uint16_t* page, int32_t slot, const float* k,
                const float* v) {
  auto* elements = reinterpret_cast<int8_t*>(page);
  auto* bytes = reinterpret_cast<uint8_t*>(page);
  const Whole key = rotated_whole(shape, k);
  for (int32_t d = 0; d < shape.padded_dim(); ++d) {
    elements[k_index<int8_t>(shape, slot, d)] = key.numbers[static_cast<size_t>(d)];
  }
  std::memcpy(bytes + k_scale(shape, slot), &key.scale, kScaleBytes);
  const Whole value = rotated_whole(shape, v);
  for (int32_t d = 0; d < shape.padded_dim(); ++d) {
    elements[v_index<int8_t>(shape, slot, d)] = value.numbers[static_cast<size_t>(d)];
  }
  std::memcpy(bytes + v_scale(shape, slot), &value.scale, kScaleBytes);
}

// get(d) of each dim, times the scale at `scale_bytes`, rotated back.
template <typename Get>
void dequantize(const KvShape& shape, const uint8_t* scale_bytes, const Get& get, float* x) {
  float scale = 0.0f;
  std::memcpy(&scale, scale_bytes, sizeof(scale));
  std::vector<float> rotated;
  for (int32_t d = 0; d < shape.padded_dim(); ++d) {
    rotated.push_back(static_cast<float>(get(d)) * scale);
  }
  kernels().rotate(shape.padded_dim(), rotated.data());
  std::copy_n(rotated.begin(), shape.head_dim, x);
}

// The positions of a page that copy_kv takes, elements and V only as far as pairs go.
template <typename Element>
void copy_elements(const KvShape& shape, const Element* from, int32_t n, Element* to) {
  const int64_t width = shape.padded_dim();
  const bool shared = shape.shared_dims > 0;
  // Keys behind the last are never looked at, but where they are values too.
  const int64_t n_keys = shared ? n / 16 * 16 : (n + 15) / 16 * 16;
  std::copy_n(from, n_keys * width, to);
  if (shared) {
    for (auto slot = static_cast<int32_t>(n_keys); slot < n; ++slot) {
      for (int32_t d = 0; d < shape.padded_dim(); ++d) {
        const int64_t at = k_index<Element>(shape, slot, d);
        to[at] = from[at];
      }
    }
    return;
  }
  const int64_t values = shape.page_positions() * width;
  std::copy_n(from + values, n / 2 * 2 * width, to + values);
  if (n % 2 == 0) return;
  for (int32_t d = 0; d < shape.padded_dim(); ++d) {  // its neighbour in the pair stays zero
    const int64_t at = v_index<Element>(shape, n - 1, d);
    to[at] = from[at];
  }
}

}  // namespace

std::string_view kv_format_name(KvFormat format) {
  return format == KvFormat::int8 ? "int8" : "bf16";
}

KvFormat kv_format_of(std::string_view text, std::string_view what) {
  constexpr std::pair<std::string_view, KvFormat> kWords[] = {{"bf16", KvFormat::bf16},
                                                              {"int8", KvFormat::int8},
                                                              {"f16", KvFormat::bf16},
                                                              {"q8_0", KvFormat::int8}};
  for (const auto& [word, format] : kWords) {
    if (word == text) return format;
  }
  throw Error(Code::invalid_argument,
              fmt::format("{} is '{}', it must be bf16 or int8 (or f16 for bf16, q8_0 for int8)",
                          what, text),
              "int8 takes about half the memory of bf16");
}

void write_kv(const KvShape& shape, uint16_t* page, int32_t slot, const float* k, const float* v) {
  CHECK(slot >= 0 && slot < shape.page_positions());
  CHECK(shape.shared_dims == 0 || shape.format == KvFormat::bf16);
  if (shape.format == KvFormat::int8) return write_int8(shape, page, slot, k, v);
  for (int32_t d = 0; d < shape.head_dim; ++d) {
    page[k_index<uint16_t>(shape, slot, d)] = f32_to_bf16(k[d]);
    if (shape.shared_dims > 0) continue;
    page[v_index<uint16_t>(shape, slot, d)] = f32_to_bf16(v[d]);
  }
}

void copy_kv(const KvShape& shape, const uint16_t* from, int32_t n, uint16_t* to) {
  n = std::min(n, shape.page_positions());
  if (n <= 0) return;
  if (shape.format == KvFormat::bf16) return copy_elements(shape, from, n, to);
  copy_elements(shape, reinterpret_cast<const int8_t*>(from), n, reinterpret_cast<int8_t*>(to));
  for (const int64_t at : {k_scale(shape, 0), v_scale(shape, 0)}) {
    std::copy_n(reinterpret_cast<const uint8_t*>(from) + at, n * kScaleBytes,
                reinterpret_cast<uint8_t*>(to) + at);
  }
}

void read_kv(const KvShape& shape, const uint16_t* page, int32_t slot, float* k, float* v) {
  if (shape.format == KvFormat::int8) {
    const auto* elements = reinterpret_cast<const int8_t*>(page);
    const auto* bytes = reinterpret_cast<const uint8_t*>(page);
    dequantize(
        shape, bytes + k_scale(shape, slot),
        [&](int32_t d) { return elements[k_index<int8_t>(shape, slot, d)]; }, k);
    dequantize(
        shape, bytes + v_scale(shape, slot),
        [&](int32_t d) { return elements[v_index<int8_t>(shape, slot, d)]; }, v);
    return;
  }
  for (int32_t d = 0; d < shape.head_dim; ++d) {
    k[d] = bf16_to_f32(page[k_index<uint16_t>(shape, slot, d)]);
    if (shape.shared_dims > 0) continue;
    v[d] = bf16_to_f32(page[v_index<uint16_t>(shape, slot, d)]);
  }
  std::copy_n(k, shape.shared_dims, v);
}

}  // namespace strata::tensor
