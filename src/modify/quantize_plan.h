// Which type each tensor of a model will have, before anything is computed: sizes are known from
// it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "models/family/spec.h"
#include "models/format/gguf_builder.h"
#include "models/format/model_file.h"
#include "modify/mix.h"

namespace strata::modify {

struct PlannedTensor {
  const models::TensorInfo* source = nullptr;
  tensor::DType type = tensor::DType::f32;    // that it gets
  tensor::DType wanted = tensor::DType::f32;  // that it would get if its rows divided
  uint64_t bytes = 0;
};

struct QuantizePlan {
  std::vector<PlannedTensor> tensors;  // in the source's order

  uint64_t bytes() const;
  uint64_t n_weights() const;
  double bits_per_weight() const;
};

QuantizePlan plan_quantization(const models::ModelFile& file, const models::ModelSpec& spec,
                               const Mix& mix, const MixOptions& options);

// The head of the file to write: all metadata of the source but for general.file_type,
// general.quantization_version and what told of a model in parts; the tensors without data.
models::GgufBuilder head_of(const models::ModelFile& file, const QuantizePlan& plan,
                            const Mix& mix);

}  // namespace strata::modify
