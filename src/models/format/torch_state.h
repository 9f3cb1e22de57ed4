// From the pickle of a state dict to its tensors: what PyTorch's functions would build, as shapes
// and places in storages (torch/_utils.py: _rebuild_tensor_v2, _v3, _rebuild_parameter;
// torch/serialization.py: persistent_id).
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/format/pickle.h"
#include "models/format/safetensors.h"

namespace strata::models {

// What the pickle's persistent ids say of the bytes that tensors view.
struct TorchStorage {
  SafeType type = SafeType::u8;
  bool untyped = false;  // the tensor has the type; `n` counts bytes
  uint64_t n = 0;
  std::span<const std::byte> bytes;  // for the reader of the file to fill in
};
using TorchStorages = std::map<std::string, TorchStorage, std::less<>>;  // by key

// Of read_pickle.
bool is_torch_global(std::string_view global);

// Error{invalid_argument}: an id that is no storage, two of one key that differ.
TorchStorages torch_storages(const Pickle& pickle, std::string_view file);
// Each n's bytes, in checked arithmetic.
uint64_t storage_bytes(const TorchStorage& storage);

// Errors: those of parse_torch_file. Every storage has its bytes.
std::vector<SafeTensor> state_dict_tensors(const Pickle& pickle, const TorchStorages& storages,
                                           std::string_view file);

}  // namespace strata::models
