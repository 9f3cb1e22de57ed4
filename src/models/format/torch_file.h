// PyTorch's files: what torch.save writes of a state dict, as a zip archive (since 1.6) or in the
// form before. Nothing in them is executed (pickle.h).
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "models/format/safetensors.h"

namespace strata::models {

// In the order of the dictionary; views into `bytes`, aligned to nothing. Several tensors may share
// bytes. A dictionary that holds the tensors under "state_dict", "model", "model_state_dict" or
// "module" is opened; what else stands there is left out with a line in the log.
// `file` names the file in errors. Error{invalid_argument}: damaged, a storage that is not as long
// as its tensors say. Error{unimplemented}: compressed members, globals, opcodes or strides that
// are not read, a value that is no tensor.
std::vector<SafeTensor> parse_torch_file(std::span<const std::byte> bytes, std::string_view file);

}  // namespace strata::models
