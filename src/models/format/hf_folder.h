// A model's folder in Hugging Face's layout: config.json, the tensors of one or many files,
// tokenizer files. What the configuration means is the families' business
// (models/family/translation.h).
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/json.h"
#include "core/mapped_file.h"
#include "models/format/hf_limits.h"
#include "models/format/safetensors.h"
#include "models/format/weight_files.h"

namespace strata::models {

// A file's name that can't lead out of its folder.
bool is_plain_name(std::string_view name);

// config.json or another of a folder's JSON files. Error{invalid_argument} with `file`, its name.
json::object parse_hf_object(std::string_view text, std::string_view file);

class HfFolder {
 public:
  // The tensors are those of model.safetensors, or of the files that model.safetensors.index.json
  // names; where there are none, those of PyTorch, Keras or TensorFlow (weight_files.h), under
  // PyTorch's names. Errors: not_found (config.json, weights, a file of the index),
  // invalid_argument and unimplemented with file and field.
  explicit HfFolder(std::filesystem::path path);
  // Of a folder that is still to be written: no tensors, no other files.
  explicit HfFolder(json::object config) : config_(std::move(config)) {}

  const std::filesystem::path& path() const { return path_; }
  const json::object& config() const { return config_; }
  json::object& config() { return config_; }
  // A JSON file beside it. nullopt: there is none. Error{invalid_argument}: no JSON object.
  std::optional<json::object> object(std::string_view file) const;
  std::optional<std::string> text(std::string_view file, size_t max_bytes = kMaxHfConfig) const;
  bool has(std::string_view file) const;

  WeightFormat format() const { return weights_.format; }
  std::span<const SafeTensor> tensors() const { return tensors_; }
  const SafeTensor* find(std::string_view name) const;
  const std::string& file_of(const SafeTensor& tensor) const;  // of one of tensors()
  uint64_t file_bytes() const;                                 // of the tensors' files
  void release(std::span<const std::byte> bytes) const;

 private:
  WeightFiles find_weights() const;
  std::span<const std::byte> map(const std::string& file);
  void add(std::vector<SafeTensor> tensors);
  void read(const std::string& file);
  void read_bundle();
  std::vector<std::string> weight_files(json::object& weight_map) const;
  void check_index(const json::object& weight_map) const;

  std::filesystem::path path_;
  json::object config_;
  WeightFiles weights_;
  std::vector<std::unique_ptr<MappedFile>> mapped_;
  std::vector<std::string> mapped_names_;
  std::vector<SafeTensor> tensors_;
  std::vector<size_t> files_;  // of each tensor, in mapped_
  std::unordered_map<std::string_view, size_t> by_name_;
};

}  // namespace strata::models
