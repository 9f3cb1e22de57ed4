// What TensorFlow and Keras call a weight, and how they lay it out, as PyTorch's state dict has it,
// which is what families know. The rules are those by which transformers (before 5) loaded weights
// of one into models of the other: modeling_tf_pytorch_utils.py, load_tf_weights_in_bert.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/format/safetensors.h"

namespace strata::models {

struct PytorchName {
  std::string name;
  bool transposed = false;  // a dense layer's kernel: stored [in x out]
};

// LAYER/MODEL/bert/encoder/layer_._0/attention/self/query/kernel:0 of a Keras file ->
// bert.encoder.layer.0.attention.self.query.weight. nullopt: an optimizer's.
std::optional<PytorchName> pytorch_name_of_keras(std::string_view path);
// bert/encoder/layer_0/attention/self/query/kernel of a checkpoint's variable -> the same.
std::optional<PytorchName> pytorch_name_of_variable(std::string_view path);

// PyTorch's own state dicts of the first models: LayerNorm.gamma and .beta are its weight and bias,
// as transformers has them renamed. Any other name stays.
std::string current_name(std::string name);

// Names all tensors anew. Those that are transposed get their shape turned round and `by_columns`;
// what Keras stores as [1 x n] for a bias becomes [n]. Left out: what has no name.
// Error{unimplemented}: a kernel of more than two dimensions; Error{invalid_argument}: one name of
// two. `file` names the file in errors.
std::vector<SafeTensor> with_pytorch_names(std::vector<SafeTensor> tensors,
                                           std::optional<PytorchName> (*name_of)(std::string_view),
                                           std::string_view file);

}  // namespace strata::models
