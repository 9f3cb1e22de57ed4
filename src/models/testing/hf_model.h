// Folders in Hugging Face's layout whose weights are a formula of tensor name and element, for
// tests. tests/oracle/hf_models.py has the twin.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace strata::models {

// One tensor of a file to write.
struct SafeEntry {
  std::string name;
  std::string dtype;            // "BF16"
  std::vector<uint64_t> shape;  // slowest first
  std::vector<std::byte> bytes;
};

// A right safetensors file.
std::string safetensors_bytes(const std::vector<SafeEntry>& entries);

// formula_weights (formula_model.h) as bfloat16; vectors of weights are norms, near one.
SafeEntry formula_entry(std::string name, std::vector<uint64_t> shape);

// config.json, and model.safetensors or, with more `shards`, as many files and their index.
// `tensors`: {name: [rows, cols], …}.
void write_hf_folder(const std::filesystem::path& folder, const json::object& config,
                     const json::object& tensors, size_t shards = 1);

}  // namespace strata::models
