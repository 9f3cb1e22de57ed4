#include "modify/quantize_plan.h"

#include "core/error.h"
#include "models/format/gguf_limits.h"

namespace strata::modify {
namespace {

using models::GgufBuilder;
using models::MetaValue;
using models::ModelFile;

constexpr uint32_t kQuantizationVersion = 2;  // of the block layouts; the format's only one in use

}  // namespace

uint64_t QuantizePlan::bytes() const {
  uint64_t total = 0;
  for (const auto& tensor : tensors) total += tensor.bytes;
  return total;
}

uint64_t QuantizePlan::n_weights() const {
  uint64_t total = 0;
  for (const auto& tensor : tensors) total += tensor.source->n_weights();
  return total;
}

double QuantizePlan::bits_per_weight() const {
  return 8.0 * static_cast<double>(bytes()) / static_cast<double>(n_weights());
}

QuantizePlan plan_quantization(const ModelFile& file, const models::ModelSpec& spec, const Mix& mix,
                               const MixOptions& options) {
  const Places places = places_of(spec);
  const ModelTraits traits = traits_of(spec);
  QuantizePlan plan;
  for (const auto& source : file.tensors()) {
    PlannedTensor planned{&source, source.type, source.type, 0};
    const auto place = places.find(source.name);
    const bool is_matrix = place != places.end() && source.n_dims >= 2;
    if (is_matrix && !options.as_stored) {
      planned.wanted =
          type_in_mix(mix, options, traits, place->second, source.shape[2] > 1, source.cols());
      planned.type = type_that_divides(planned.wanted, source.cols());
    } else if (!is_matrix &&
               (source.type == tensor::DType::f16 || source.type == tensor::DType::bf16)) {
      // Programs take norms, biases and routers as float32 only, and lose nothing by it.
      planned.wanted = planned.type = tensor::DType::f32;
    }
    planned.bytes = tensor::bytes_of(planned.type, source.n_weights());
    plan.tensors.push_back(planned);
  }
  if (plan.n_weights() == 0) throw Error(Code::invalid_argument, "the model has no weights");
  return plan;
}

GgufBuilder head_of(const ModelFile& file, const QuantizePlan& plan, const Mix& mix) {
  GgufBuilder head;
  for (const MetaValue& value : file.values()) {
    if (!value.key.starts_with("split.")) head.set_value(value);
  }
  head.set_u32("general.file_type", mix.file_type);
  head.set_u32("general.quantization_version", kQuantizationVersion);
  if (const auto alignment = file.integer("general.alignment")) {
    head.alignment = static_cast<uint32_t>(*alignment);
  }
  for (const auto& tensor : plan.tensors) {
    const auto& shape = tensor.source->shape;
    head.add_tensor(tensor.source->name, tensor.type,
                    {shape.begin(), shape.begin() + tensor.source->n_dims}, {});
  }
  return head;
}

}  // namespace strata::modify
