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

// A tensor of a quantised weight: "dtype", "shape", and "fill", which says how its numbers come of
// its name (tests/oracle/hf_quantized.py has the twin).
SafeEntry quantized_entry(const std::string& name, const json::object& how);

// config.json, and model.safetensors or, with more `shards`, as many files and their index.
// `tensors`: {name: [rows, cols], …}, or what quantized_entry takes.
void write_hf_folder(const std::filesystem::path& folder, const json::object& config,
                     const json::object& tensors, size_t shards = 1);

}  // namespace strata::models
