// MXFP4 as gpt-oss publishes it: of a stack NAME of experts [experts x in x out] `NAME_blocks`
// [experts x out x in / 32 x 16] and `NAME_scales` [experts x out x in / 32].
#include "models/quantized/mxfp4_rows.h"
#include "models/quantized/weight_storage.h"

namespace strata::models {
namespace {

class Mxfp4Storage : public WeightStorage {
 public:
  explicit Mxfp4Storage(const HfFolder& folder) : stored_(folder) {}

  std::string summary() const override { return "MXFP4"; }

  std::optional<HfWeight> find(const std::string& name) const override {
    const SafeTensor* blocks = stored_.find(name + "_blocks");
    if (blocks == nullptr) return std::nullopt;
    const auto& shape = blocks->shape;
    if (shape.size() != 4 || shape[3] != 16) {
      stored_.refuse(*blocks, "is no stack of matrices with rows of blocks of 16 bytes");
    }
    HfWeight weight = mxfp4_weight(stored_, name, *blocks, stored_.need(name + "_scales", *blocks),
                                   {shape[0], shape[1], shape[2] * 32});
    std::swap(weight.shape[1], weight.shape[2]);
    weight.made_transposed = true;
    return weight;
  }

 private:
  Stored stored_;
};

class Mxfp4 : public StorageMethod {
 public:
  std::string_view name() const override { return "mxfp4"; }

  std::unique_ptr<WeightStorage> open(const Settings&, const HfFolder& folder) const override {
    return std::make_unique<Mxfp4Storage>(folder);
  }
};

const Registered<StorageMethod> registered{std::make_unique<Mxfp4>()};

}  // namespace
}  // namespace strata::models
