// FP8 as DeepSeek V3 and Qwen 3 publish it: beside a weight in F8_E4M3 `NAME_scale_inv`, with a
// scale for each block of `weight_block_size`, or one for all; other writers call it `NAME_scale`.
#include "models/quantized/float8_rows.h"
#include "models/quantized/weight_storage.h"

namespace strata::models {
namespace {

class Fp8Storage : public WeightStorage {
 public:
  Fp8Storage(const HfFolder& folder, std::optional<ScaleBlock> block, std::string activations)
      : stored_(folder), block_(block), activations_(std::move(activations)) {}

  std::string summary() const override {
    if (!block_) return "FP8 (E4M3)";
    return fmt::format("FP8 (E4M3) in blocks of {} x {}", block_->rows, block_->cols);
  }

  std::string note() const override {
    return fmt::format(
        "the model was made for activations in FP8 ({} scales); here they are computed in higher "
        "precision",
        activations_);
  }

  bool is_of_activations(std::string_view name) const override {
    return name.ends_with(".input_scale") || name.ends_with(".activation_scale");
  }

  std::optional<HfWeight> find(const std::string& name) const override {
    const SafeTensor* codes = stored_.find(name);
    if (codes == nullptr || codes->type != SafeType::f8_e4m3) return std::nullopt;
    const SafeTensor* scales = stored_.find(name + "_scale");
    if (scales == nullptr) scales = &stored_.need(name + "_scale_inv", *codes);
    return float8_weight(stored_, name, *codes, *scales, block_);
  }

 private:
  Stored stored_;
  std::optional<ScaleBlock> block_;
  std::string activations_;
};

class Fp8 : public StorageMethod {
 public:
  std::string_view name() const override { return "fp8"; }

  std::unique_ptr<WeightStorage> open(const Settings& settings,
                                      const HfFolder& folder) const override {
    const std::string format = settings.text("fmt").value_or("e4m3");
    if (format != "e4m3" && format != "float8_e4m3fn") settings.unsupported("fmt", "e4m3");
    std::optional<ScaleBlock> block;
    if (settings.find("weight_block_size") != nullptr) {
      const auto sizes = settings.integers("weight_block_size");
      if (sizes.size() != 2 || sizes[0] < 1 || sizes[1] < 1) {
        settings.refuse("weight_block_size", "is no pair of numbers above 0");
      }
      block = {static_cast<uint64_t>(sizes[0]), static_cast<uint64_t>(sizes[1])};
    }
    const std::string activations = settings.text("activation_scheme").value_or("dynamic");
    if (activations != "dynamic" && activations != "static") {
      settings.unsupported("activation_scheme", "dynamic, static");
    }
    return std::make_unique<Fp8Storage>(folder, block, activations);
  }
};

const Registered<StorageMethod> registered{std::make_unique<Fp8>()};

}  // namespace
}  // namespace strata::models
