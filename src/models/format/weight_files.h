// Which files of a model's folder hold its weights, and in which format they were published.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace strata::models {

enum class WeightFormat { safetensors, torch, keras, bundle };

std::string_view weight_format_name(WeightFormat format);  // for people

struct WeightFiles {
  WeightFormat format = WeightFormat::safetensors;
  std::string index;  // JSON that says which file holds which tensor; empty: there is none
  // Without a JSON index those to read (of a bundle its .index, then the data in order); with one
  // all that could be named there.
  std::vector<std::string> files;
};

// `names`: of all files in the folder. safetensors before PyTorch's before Keras's before
// TensorFlow's. nullopt: there are none, or several that could be meant.
std::optional<WeightFiles> find_weight_files(std::span<const std::string> names);

}  // namespace strata::models
