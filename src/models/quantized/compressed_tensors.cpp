// compressed-tensors (llm-compressor). Of a weight NAME [out x in], `NAME_packed` [out x in * bits
// / 32], codes along a row from the lowest bit on, with `NAME_shape`; or NAME itself in I8 or
// F8_E4M3. `NAME_scale` [out x groups], [out x 1], [1] or a grid of blocks; `NAME_zero_point` as
// the scales, packed along its columns where codes are; `NAME_g_idx` [in], the group of each input.
// Packed integers are stored as what they are above the smallest. Which scheme a weight has is seen
// from its tensors.
#include <algorithm>

#include "models/quantized/compressed_schemes.h"
#include "models/quantized/float8_rows.h"
#include "models/quantized/integer_rows.h"
#include "models/quantized/stored.h"
#include "models/quantized/weight_storage.h"

namespace strata::models {
namespace {

using Scales = CompressedScheme::Scales;

int32_t smallest(uint64_t bits) {
  return -(1 << (bits - 1));
}

// Code i of a run of words; kBits of them divide a word.
int16_t packed_code(std::span<const std::byte> words, uint64_t first_word, uint64_t stride,
                    uint64_t i, uint64_t bits) {
  const uint64_t per_word = 32 / bits;
  const uint32_t word = word_at(words, first_word + i / per_word * stride);
  const uint32_t code = (word >> (i % per_word * bits)) & ((1u << bits) - 1);
  return static_cast<int16_t>(static_cast<int32_t>(code) + smallest(bits));
}

class CompressedStorage : public WeightStorage {
 public:
  CompressedStorage(const HfFolder& folder, std::vector<CompressedScheme> schemes,
                    bool has_cache_scales)
      : stored_(folder), schemes_(std::move(schemes)), has_cache_scales_(has_cache_scales) {}

  std::string summary() const override {
    std::string text;
    for (const CompressedScheme& scheme : schemes_) {
      const std::string one = scheme.text();
      if (text.find(one) == std::string::npos) text += (text.empty() ? "" : "; ") + one;
    }
    return "compressed-tensors, " + text;
  }

  std::string note() const override {
    std::string what;
    if (std::ranges::any_of(schemes_, &CompressedScheme::has_activations)) what = "activations";
    if (has_cache_scales_) what += what.empty() ? "keys and values" : ", keys and values";
    if (what.empty()) return {};
    return fmt::format(
        "the model was made for quantised {}; here they are computed in higher precision", what);
  }

  bool is_of_activations(std::string_view name) const override {
    constexpr std::string_view kEndings[]{
        ".input_scale",        ".input_zero_point", ".output_scale", ".output_zero_point",
        ".input_global_scale", ".k_scale",          ".v_scale"};
    return std::ranges::any_of(kEndings,
                               [&](std::string_view ending) { return name.ends_with(ending); });
  }

  std::optional<HfWeight> find(const std::string& name) const override {
    if (!name.ends_with(".weight")) return std::nullopt;
    if (const SafeTensor* packed = stored_.find(name + "_packed"))
      return read_packed(name, *packed);
    const SafeTensor* codes = stored_.find(name);
    if (codes == nullptr) return std::nullopt;
    if (codes->type == SafeType::i8) return read_bytes(name, *codes);
    if (codes->type == SafeType::f8_e4m3) return read_float8(name, *codes);
    return std::nullopt;
  }

 private:
  // The first scheme that fits; of none the first of that kind, whose errors are told.
  template <typename Fits>
  const CompressedScheme& scheme_of(const SafeTensor& codes, bool is_integer, Fits fits) const {
    const CompressedScheme* first = nullptr;
    for (const CompressedScheme& scheme : schemes_) {
      if (scheme.is_integer != is_integer) continue;
      if (fits(scheme)) return scheme;
      if (first == nullptr) first = &scheme;
    }
    if (first == nullptr) {
      stored_.refuse(codes,
                     "has dtype {}, config.json: quantization_config.config_groups has no {}",
                     safe_type_name(codes.type), is_integer ? "integers" : "FP8");
    }
    return *first;
  }

  HfWeight read_packed(const std::string& name, const SafeTensor& packed) const {
    stored_.expect_type(packed, {SafeType::i32});
    const SafeTensor& shape = stored_.need(name + "_shape", packed);
    stored_.expect_type(shape, {SafeType::i64, SafeType::i32});
    stored_.expect_shape(shape, {2}, "rows and columns");
    const uint64_t rows = count_at(shape, 0), cols = count_at(shape, 1);
    if (packed.shape.size() != 2 || packed.shape[0] != rows || rows == 0) {
      stored_.refuse(packed, "has not the {} rows that '{}' names", rows, printable(shape.name));
    }
    const SafeTensor& scales = stored_.need(name + "_scale", packed);
    const auto words = [&](uint64_t bits) { return (cols + 32 / bits - 1) / (32 / bits); };
    const CompressedScheme& scheme = scheme_of(packed, true, [&](const CompressedScheme& s) {
      return words(s.bits) == packed.shape[1] && scales.shape == scales_shape(s, rows, cols);
    });
    stored_.expect_shape(packed, {rows, words(scheme.bits)},
                         fmt::format("{} columns of {} bits", cols, scheme.bits));
    IntegerWeight weight = weight_of(scheme, rows, cols, packed);
    weight.codes = [bytes = packed.bytes, cols, row_words = packed.shape[1], bits = scheme.bits](
                       std::span<const uint64_t> wanted, int16_t* out) {
      for (size_t r = 0; r < wanted.size(); ++r) {
        for (uint64_t col = 0; col < cols; ++col) {
          out[r * cols + col] = packed_code(bytes, wanted[r] * row_words, 1, col, bits);
        }
      }
    };
    HfWeight result = integers(name, packed, scheme, std::move(weight));
    result.stored.push_back(&shape);
    return result;
  }

  HfWeight read_bytes(const std::string& name, const SafeTensor& codes) const {
    if (codes.shape.size() != 2 || codes.bytes.empty()) stored_.refuse(codes, "is no matrix");
    const uint64_t rows = codes.shape[0], cols = codes.shape[1];
    const SafeTensor& scales = stored_.need(name + "_scale", codes);
    const CompressedScheme& scheme = scheme_of(codes, true, [&](const CompressedScheme& s) {
      return scales.shape == scales_shape(s, rows, cols);
    });
    IntegerWeight weight = weight_of(scheme, rows, cols, codes);
    weight.min_code = smallest(8);
    weight.max_code = -smallest(8) - 1;
    weight.codes = [bytes = codes.bytes, cols](std::span<const uint64_t> wanted, int16_t* out) {
      for (size_t r = 0; r < wanted.size(); ++r) {
        const std::byte* row = bytes.data() + wanted[r] * cols;
        for (uint64_t col = 0; col < cols; ++col) {
          out[r * cols + col] = static_cast<int8_t>(row[col]);
        }
      }
    };
    return integers(name, codes, scheme, std::move(weight));
  }

  HfWeight read_float8(const std::string& name, const SafeTensor& codes) const {
    check_matrices(stored_, codes);
    const SafeTensor& scales = stored_.need(name + "_scale", codes);
    const uint64_t rows = codes.shape[0], cols = codes.shape[1];
    const CompressedScheme& scheme = scheme_of(codes, false, [&](const CompressedScheme& s) {
      return scales.shape == scales_shape(s, rows, cols);
    });
    std::optional<ScaleBlock> block;
    if (scheme.scales == Scales::of_blocks) block = scheme.block;
    return float8_weight(stored_, name, codes, scales, block);
  }

  static std::vector<uint64_t> scales_shape(const CompressedScheme& scheme, uint64_t rows,
                                            uint64_t cols) {
    switch (scheme.scales) {
      case Scales::one:
        return {1};
      case Scales::of_rows:
        return {rows, 1};
      case Scales::of_groups:
        return {rows, (cols + scheme.group_cols - 1) / scheme.group_cols};
      case Scales::of_blocks:
        break;
    }
    return {(rows + scheme.block.rows - 1) / scheme.block.rows,
            (cols + scheme.block.cols - 1) / scheme.block.cols};
  }

  IntegerWeight weight_of(const CompressedScheme& scheme, uint64_t rows, uint64_t cols,
                          const SafeTensor& codes) const {
    const bool grouped = scheme.scales == Scales::of_groups;
    const uint64_t group_cols = grouped ? scheme.group_cols : std::max<uint64_t>(cols, 1);
    if (cols == 0 || cols % group_cols != 0) {
      stored_.refuse(codes, "has {} columns, which groups of {} (group_size) do not divide", cols,
                     group_cols);
    }
    return {.rows = rows,
            .cols = cols,
            .group_cols = group_cols,
            .group_of = {},
            .n_groups = cols / group_cols,
            .min_code = smallest(scheme.bits),
            .max_code = -smallest(scheme.bits) - 1,
            .codes = {},
            .zero = {},
            .scale = {},
            .scales = {}};
  }

  // Scales, zero points and groups, which all integers have alike.
  HfWeight integers(const std::string& name, const SafeTensor& codes,
                    const CompressedScheme& scheme, IntegerWeight weight) const {
    const SafeTensor& scales = stored_.need(name + "_scale", codes);
    stored_.expect_type(scales, {SafeType::f16, SafeType::bf16, SafeType::f32});
    stored_.expect_shape(scales, scales_shape(scheme, weight.rows, weight.cols), scheme.text());
    HfWeight result{.name = name,
                    .shape = {weight.rows, weight.cols},
                    .maker = nullptr,
                    .stored = {&codes, &scales}};
    const bool one = scheme.scales == Scales::one;
    weight.scales_are_f16 = scales.type == SafeType::f16;
    weight.scales = stored_.named(scales);
    weight.scale = [&scales, one, n = weight.n_groups](uint64_t row, uint64_t group) {
      return number_at(scales, one ? 0 : row * n + group);
    };
    if (const SafeTensor* zeros = stored_.find(name + "_zero_point")) {
      result.stored.push_back(zeros);
      weight.zero = zeros_of(*zeros, scales, scheme, weight);
    } else if (scheme.has_zeros) {
      stored_.need(name + "_zero_point", codes);
    }
    if (const SafeTensor* groups = stored_.find(name + "_g_idx")) {
      result.stored.push_back(groups);
      weight.group_of = groups_of(*groups, weight);
    }
    result.maker = integer_rows(std::move(weight));
    result.type = smallest_type(*result.maker);
    return result;
  }

  std::function<int32_t(uint64_t, uint64_t)> zeros_of(const SafeTensor& zeros,
                                                      const SafeTensor& scales,
                                                      const CompressedScheme& scheme,
                                                      const IntegerWeight& weight) const {
    stored_.expect_type(zeros, {SafeType::i8, SafeType::i32});
    const uint64_t n = weight.n_groups;
    if (zeros.type == SafeType::i8) {
      stored_.expect_shape(zeros, scales.shape, "as the scales");
      const bool one = scheme.scales == Scales::one;
      return [bytes = zeros.bytes, one, n](uint64_t row, uint64_t group) {
        return int32_t{static_cast<int8_t>(bytes[one ? 0 : row * n + group])};
      };
    }
    const uint64_t per_word = 32 / scheme.bits;
    stored_.expect_shape(zeros, {(weight.rows + per_word - 1) / per_word, n},
                         "packed rows and groups");
    return [bytes = zeros.bytes, n, bits = scheme.bits](uint64_t row, uint64_t group) {
      return int32_t{packed_code(bytes, group, n, row, bits)};
    };
  }

  // A negative number: groups follow each other (compressed-tensors, forward.py).
  std::span<const std::byte> groups_of(const SafeTensor& groups,
                                       const IntegerWeight& weight) const {
    stored_.expect_type(groups, {SafeType::i32});
    stored_.expect_shape(groups, {weight.cols}, "columns");
    for (uint64_t col = 0; col < weight.cols; ++col) {
      if (word_at(groups.bytes, col) == ~0u) return {};
    }
    for (uint64_t col = 0; col < weight.cols; ++col) {
      const uint32_t group = word_at(groups.bytes, col);
      if (group < weight.n_groups) continue;
      stored_.refuse(groups, "names group {} at {}, there are {}", static_cast<int32_t>(group), col,
                     weight.n_groups);
    }
    return groups.bytes;
  }

  uint64_t count_at(const SafeTensor& shape, uint64_t i) const {
    int64_t value = 0;
    if (shape.type == SafeType::i64) {
      std::memcpy(&value, shape.bytes.data() + i * sizeof value, sizeof value);
    } else {
      value = static_cast<int32_t>(word_at(shape.bytes, i));
    }
    constexpr int64_t kMost = int64_t{1} << 40;
    if (value < 1 || value > kMost) stored_.refuse(shape, "holds {}, no size", value);
    return static_cast<uint64_t>(value);
  }

  Stored stored_;
  std::vector<CompressedScheme> schemes_;
  bool has_cache_scales_;
};

class CompressedTensors : public StorageMethod {
 public:
  std::string_view name() const override { return "compressed-tensors"; }

  std::unique_ptr<WeightStorage> open(const Settings& settings,
                                      const HfFolder& folder) const override {
    return std::make_unique<CompressedStorage>(folder, read_schemes(settings),
                                               settings.find("kv_cache_scheme") != nullptr);
  }
};

const Registered<StorageMethod> registered{std::make_unique<CompressedTensors>()};

}  // namespace
}  // namespace strata::models
