// How a folder's weights are stored where config.json has a `quantization_config`: one file a
// method (`quant_method`), which registers itself.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/registry.h"
#include "models/quantized/hf_weight.h"
#include "models/quantized/settings.h"

namespace strata::models {

// Keys of what summary() and note() say of the folder that a model was read from.
constexpr std::string_view kStorageKey = "strata.source.quantization";
constexpr std::string_view kStorageNoteKey = "strata.source.quantization_note";

// Of one folder, which outlives it.
class WeightStorage {
 public:
  virtual ~WeightStorage() = default;
  // The weight of that name ("….q_proj.weight"). nullopt: this method does not store it.
  // Error{invalid_argument} with file and tensor: what it is made of does not fit together.
  virtual std::optional<HfWeight> find(const std::string& name) const = 0;
  // For people: "GPTQ, 4 bits in groups of 128".
  virtual std::string summary() const = 0;
  // What is computed otherwise than the method means it; empty: nothing.
  virtual std::string note() const { return {}; }
  // A tensor that is no weight, and without which answers are no worse: scales of activations.
  virtual bool is_of_activations(std::string_view) const { return false; }
};

class StorageMethod {
 public:
  virtual ~StorageMethod() = default;
  virtual std::string_view name() const = 0;  // quant_method
  // Error{unimplemented, invalid_argument} with the field of `settings`.
  virtual std::unique_ptr<WeightStorage> open(const Settings& settings,
                                              const HfFolder& folder) const = 0;
};

// Null: weights are stored as they are. Error{unimplemented} with the list of what is known.
std::unique_ptr<WeightStorage> open_storage(const HfFolder& folder);

}  // namespace strata::models
