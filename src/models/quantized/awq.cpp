// AWQ in AutoAWQ's version "gemm". Of a weight [out x in]: `qweight` [in x out / 8], eight outputs
// a word; `qzeros` [groups x out / 8]; `scales` [groups x out]. Nibble i of a word, from the lowest
// on, is output kOrder[i] of its eight.
#include <algorithm>
#include <array>

#include "models/quantized/grouped_weight.h"
#include "models/quantized/stored.h"
#include "models/quantized/weight_storage.h"

namespace strata::models {
namespace {

constexpr uint64_t kPerWord = 8;
constexpr std::array<uint32_t, kPerWord> kOrder{0, 2, 4, 6, 1, 3, 5, 7};

// Of the bits of output `row` in its word.
uint32_t shift_of(uint64_t row) {
  const auto at = std::ranges::find(kOrder, static_cast<uint32_t>(row % kPerWord));
  return 4 * static_cast<uint32_t>(at - kOrder.begin());
}

int16_t code_at(std::span<const std::byte> words, uint64_t index, uint32_t shift) {
  return static_cast<int16_t>((word_at(words, index) >> shift) & 15);
}

class AwqStorage : public WeightStorage {
 public:
  AwqStorage(const HfFolder& folder, int64_t group_size)
      : stored_(folder), group_size_(group_size) {}

  std::string summary() const override {
    return group_size_ > 0 ? fmt::format("AWQ, 4 bits in groups of {}", group_size_)
                           : std::string("AWQ, 4 bits, a scale a row");
  }

  std::optional<HfWeight> find(const std::string& name) const override {
    const auto base = without(name, ".weight");
    const SafeTensor* codes = base ? stored_.find(*base + ".qweight") : nullptr;
    if (codes == nullptr) return std::nullopt;
    return read(name, *base, *codes);
  }

 private:
  HfWeight read(const std::string& name, const std::string& base, const SafeTensor& codes) const {
    stored_.expect_type(codes, {SafeType::i32});
    if (codes.shape.size() != 2 || codes.shape[0] == 0 || codes.shape[1] == 0) {
      stored_.refuse(codes, "is no matrix");
    }
    const uint64_t cols = codes.shape[0];
    const uint64_t row_words = codes.shape[1];
    const uint64_t rows = row_words * kPerWord;
    GroupedWeight grouped =
        grouped_weight(stored_, base, codes, rows, cols, group_size_, row_words);
    const SafeTensor& zeros = *grouped.zeros;
    IntegerWeight& weight = grouped.weight;
    weight.max_code = 15;
    weight.codes = [words = codes.bytes, row_words, cols](std::span<const uint64_t> wanted,
                                                          int16_t* out) {
      for (size_t r = 0; r < wanted.size(); ++r) {
        const uint32_t shift = shift_of(wanted[r]);
        const uint64_t word = wanted[r] / kPerWord;
        for (uint64_t col = 0; col < cols; ++col) {
          out[r * cols + col] = code_at(words, col * row_words + word, shift);
        }
      }
    };
    weight.zero = [words = zeros.bytes, row_words](uint64_t row, uint64_t group) {
      return int32_t{code_at(words, group * row_words + row / kPerWord, shift_of(row))};
    };
    HfWeight result{.name = name,
                    .shape = {rows, cols},
                    .maker = integer_rows(std::move(weight)),
                    .stored = {&codes, grouped.scales, &zeros}};
    result.type = smallest_type(*result.maker);
    return result;
  }

  Stored stored_;
  int64_t group_size_;
};

bool same_letters(std::string_view a, std::string_view lower) {
  return std::ranges::equal(a, lower, [](char x, char y) {
    return (x >= 'A' && x <= 'Z' ? static_cast<char>(x - 'A' + 'a') : x) == y;
  });
}

class Awq : public StorageMethod {
 public:
  std::string_view name() const override { return "awq"; }

  std::unique_ptr<WeightStorage> open(const Settings& settings,
                                      const HfFolder& folder) const override {
    if (!same_letters(settings.text("version").value_or("gemm"), "gemm")) {
      settings.unsupported("version", "gemm");
    }
    if (settings.integer({"bits", "w_bit"}).value_or(4) != 4) settings.unsupported("bits", "4");
    if (!settings.flag("zero_point").value_or(true)) settings.unsupported("zero_point", "true");
    const int64_t group_size = settings.integer({"group_size", "q_group_size"}).value_or(128);
    if (group_size < 1 && group_size != -1) {
      settings.refuse("group_size", "is neither -1 nor above 0");
    }
    return std::make_unique<AwqStorage>(folder, group_size);
  }
};

const Registered<StorageMethod> registered{std::make_unique<Awq>()};

}  // namespace
}  // namespace strata::models
