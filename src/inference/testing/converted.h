// For test programs: what llama.cpp's converter made of a folder, held against our reading of it.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/hash.h"
#include "core/json.h"
#include "models/format/gguf_builder.h"
#include "models/format/model_file.h"
#include "models/testing/formula_model.h"
#include "tensor/dequant.h"

namespace strata::inference {

inline std::vector<float> weights_of(const models::ModelFile& file,
                                     const models::TensorInfo& tensor) {
  const models::TensorBytes bytes = file.bytes(tensor);
  std::vector<float> weights(tensor.n_weights());
  tensor::dequantize_row(tensor.type, bytes.view.data(), weights.data(),
                         static_cast<int64_t>(weights.size()));
  return weights;
}

// The converter's values, where the fixture has them, and its tensors with the weights of ours,
// which must be the same.
inline models::GgufBuilder converted(const json::object& gguf, const models::ModelFile& ours) {
  const json::value* metadata = gguf.if_contains("metadata");
  models::GgufBuilder builder = models::formula_model(
      {{"metadata", metadata == nullptr ? json::object{} : metadata->as_object()},
       {"tensors", json::object{}}});
  for (const auto& [name, entry] : gguf.at("tensors").as_object()) {
    const json::array& shape_and_hash = entry.as_array();
    std::vector<uint64_t> shape;
    for (size_t i = 0; i + 1 < shape_and_hash.size(); ++i) {
      shape.push_back(shape_and_hash[i].to_number<uint64_t>());
    }
    const models::TensorInfo* tensor = ours.find_tensor(name);
    if (tensor == nullptr) {
      ADD_FAILURE() << "no tensor " << name;
      continue;
    }
    const std::vector<float> weights = weights_of(ours, *tensor);
    Sha256 hash;
    hash.update(std::as_bytes(std::span(weights)));
    const std::string_view wanted = shape_and_hash.back().as_string();
    EXPECT_EQ(hash.hex().substr(0, wanted.size()), wanted) << name;
    builder.add_f32(name, shape, weights);
  }
  EXPECT_EQ(builder.tensors.size(), ours.tensors().size());
  return builder;
}

}  // namespace strata::inference
