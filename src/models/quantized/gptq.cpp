// GPTQ, as AutoGPTQ and GPTQModel write it. Of a weight [out x in]: `qweight` [in * bits / 32 x
// out], codes of a column of it one after another from the lowest bit on; `qzeros` [groups x out *
// bits / 32], in the same way along a row; `scales` [groups x out]; `g_idx` [in], the group of each
// input. The first version of the format stores zero points less one.
#include <array>

#include "models/quantized/grouped_weight.h"
#include "models/quantized/stored.h"
#include "models/quantized/weight_storage.h"

namespace strata::models {
namespace {

constexpr uint64_t kUnit = 32;  // inputs and outputs are multiples of it

struct GptqSettings {
  uint64_t bits = 4;
  int64_t group_size = -1;  // -1: one group
  bool needs_g_idx = false;
  bool zeros_less_one = true;
};

// 32 codes of each of some columns of a packed matrix; they are kBits words.
template <size_t kBits>
void unpack(const std::byte* words, uint64_t width, uint64_t unit,
            std::span<const uint64_t> columns, uint64_t cols, int16_t* out) {
  constexpr uint32_t kMask = (1u << kBits) - 1;
  for (size_t r = 0; r < columns.size(); ++r) {
    std::array<uint32_t, kBits + 1> own{};
    for (size_t b = 0; b < kBits; ++b) {
      std::memcpy(&own[b], words + ((unit * kBits + b) * width + columns[r]) * sizeof own[b],
                  sizeof own[b]);
    }
    int16_t* to = out + r * cols + unit * kUnit;
    for (size_t i = 0; i < kUnit; ++i) {
      const size_t at = i * kBits;
      const uint64_t both = own[at / 32] | (uint64_t{own[at / 32 + 1]} << 32);
      to[i] = static_cast<int16_t>(static_cast<uint32_t>(both >> (at % 32)) & kMask);
    }
  }
}

using Unpack = void (*)(const std::byte*, uint64_t, uint64_t, std::span<const uint64_t>, uint64_t,
                        int16_t*);

Unpack unpack_of(uint64_t bits) {
  if (bits == 2) return unpack<2>;
  if (bits == 3) return unpack<3>;
  return bits == 4 ? unpack<4> : unpack<8>;
}

// Whole words were lessened by a one in each code, so that a zero point of 0 borrowed from the next
// (GPTQModel, convert_gptq_v2_to_v1_format). Three bits do not divide a word: each code by itself.
int32_t zero_at(std::span<const std::byte> words, uint64_t row_words, uint64_t group, uint64_t at,
                const GptqSettings& settings) {
  const uint64_t bits = settings.bits;
  const uint64_t begin = at * bits;
  const uint64_t index = group * row_words + begin / 32;
  const uint32_t mask = (1u << bits) - 1;
  if (bits != 3) {
    const uint32_t ones = settings.zeros_less_one ? ~0u / mask : 0;
    return static_cast<int32_t>(((word_at(words, index) + ones) >> (begin % 32)) & mask);
  }
  uint64_t both = word_at(words, index);
  if (begin % 32 + bits > 32) both |= uint64_t{word_at(words, index + 1)} << 32;
  const auto code = static_cast<int32_t>(static_cast<uint32_t>(both >> (begin % 32)) & mask);
  return code + (settings.zeros_less_one ? 1 : 0);
}

class GptqStorage : public WeightStorage {
 public:
  GptqStorage(const HfFolder& folder, const GptqSettings& settings)
      : stored_(folder), settings_(settings) {}

  std::string summary() const override {
    return fmt::format("GPTQ, {} bits{}", settings_.bits,
                       settings_.group_size > 0
                           ? fmt::format(" in groups of {}", settings_.group_size)
                           : std::string(", a scale a row"));
  }

  std::optional<HfWeight> find(const std::string& name) const override {
    const auto base = without(name, ".weight");
    const SafeTensor* codes = base ? stored_.find(*base + ".qweight") : nullptr;
    if (codes == nullptr) return std::nullopt;
    return read(name, *base, *codes);
  }

 private:
  HfWeight read(const std::string& name, const std::string& base, const SafeTensor& codes) const {
    const uint64_t bits = settings_.bits;
    stored_.expect_type(codes, {SafeType::i32});
    if (codes.shape.size() != 2 || codes.shape[0] == 0 || codes.shape[1] == 0 ||
        codes.shape[0] % bits != 0 || codes.shape[1] % kUnit != 0) {
      stored_.refuse(codes, "is no matrix of {}-bit codes of whole units of {}", bits, kUnit);
    }
    const uint64_t rows = codes.shape[1];
    const uint64_t cols = codes.shape[0] / bits * kUnit;
    GroupedWeight grouped =
        grouped_weight(stored_, base, codes, rows, cols, settings_.group_size, rows / 32 * bits);
    const SafeTensor& zeros = *grouped.zeros;
    IntegerWeight& weight = grouped.weight;
    weight.max_code = (1 << bits) - 1;
    HfWeight result{.name = name,
                    .shape = {rows, cols},
                    .maker = nullptr,
                    .stored = {&codes, grouped.scales, &zeros}};
    if (const SafeTensor* groups = stored_.find(base + ".g_idx")) {
      result.stored.push_back(groups);
      weight.group_of = groups_of(*groups, weight);
    } else if (settings_.needs_g_idx) {
      stored_.need(base + ".g_idx", codes);
    }
    weight.codes = [words = codes.bytes.data(), rows, cols, unpack = unpack_of(bits)](
                       std::span<const uint64_t> wanted, int16_t* out) {
      for (uint64_t unit = 0; unit < cols / kUnit; ++unit) {
        unpack(words, rows, unit, wanted, cols, out);
      }
    };
    weight.zero = [words = zeros.bytes, row_words = zeros.shape[1], settings = settings_](
                      uint64_t row, uint64_t group) {
      return zero_at(words, row_words, group, row, settings);
    };
    result.maker = integer_rows(std::move(weight));
    result.type = smallest_type(*result.maker);
    return result;
  }

  // The group of each input; empty: they follow each other.
  std::span<const std::byte> groups_of(const SafeTensor& groups,
                                       const IntegerWeight& weight) const {
    stored_.expect_type(groups, {SafeType::i32});
    stored_.expect_shape(groups, {weight.cols}, "inputs");
    bool in_order = true;
    for (uint64_t col = 0; col < weight.cols; ++col) {
      const uint32_t group = word_at(groups.bytes, col);
      if (group >= weight.n_groups) {
        stored_.refuse(groups, "names group {} at {}, there are {}", static_cast<int32_t>(group),
                       col, weight.n_groups);
      }
      in_order = in_order && group == col / weight.group_cols;
    }
    return in_order ? std::span<const std::byte>() : groups.bytes;
  }

  Stored stored_;
  GptqSettings settings_;
};

class Gptq : public StorageMethod {
 public:
  std::string_view name() const override { return "gptq"; }

  std::unique_ptr<WeightStorage> open(const Settings& settings,
                                      const HfFolder& folder) const override {
    GptqSettings read;
    const int64_t bits = settings.integer({"bits"}).value_or(0);
    if (bits != 2 && bits != 3 && bits != 4 && bits != 8) {
      settings.unsupported("bits", "2, 3, 4 and 8");
    }
    read.bits = static_cast<uint64_t>(bits);
    read.group_size = settings.integer({"group_size"}).value_or(-1);
    if (read.group_size < 1 && read.group_size != -1) {
      settings.refuse("group_size", "is neither -1 nor above 0");
    }
    read.needs_g_idx = settings.flag("desc_act").value_or(false);
    const std::string format = settings.text("checkpoint_format").value_or("gptq");
    if (format != "gptq" && format != "gptq_v2") {
      settings.unsupported("checkpoint_format", "gptq, gptq_v2");
    }
    read.zeros_less_one = format == "gptq";
    if (settings.text("pack_dtype").value_or("int32") != "int32") {
      settings.unsupported("pack_dtype", "int32");
    }
    refuse_overrides(settings);
    return std::make_unique<GptqStorage>(folder, read);
  }

 private:
  // "-:pattern" leaves modules as they are, which their tensors show; "+:pattern" changes settings.
  static void refuse_overrides(const Settings& settings) {
    const auto dynamic = settings.part("dynamic");
    if (!dynamic) return;
    for (const auto& entry : dynamic->object()) {
      if (!std::string_view(entry.key()).starts_with("-:")) {
        settings.unsupported("dynamic", "one number of bits and group size for all modules");
      }
    }
  }
};

const Registered<StorageMethod> registered{std::make_unique<Gptq>()};

}  // namespace
}  // namespace strata::models
