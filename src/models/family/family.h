// A family: reads a file's metadata and says what the model is. One file a family; nothing else in
// the program knows a family's name.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "core/registry.h"
#include "models/family/spec.h"
#include "models/format/model_file.h"

namespace strata::models {

// A class of Hugging Face's transformers, and the architecture that it is in GGUF's terms.
struct HfClass {
  std::string_view name;
  std::string_view architecture;
  std::string_view model_type = {};  // config.json's; none: folders of it are not written
};

class Translation;

class Family {
 public:
  virtual ~Family() = default;
  // Values of general.architecture that this family reads.
  virtual std::vector<std::string_view> architectures() const = 0;
  // Builds the spec and checks it against the file: every tensor present, of the right shape.
  // Throws Error{invalid_argument} with the key or tensor at fault.
  virtual ModelSpec describe(const ModelFile& file) const = 0;
  // Classes whose folders this family reads, and how (models/family/translation.h).
  virtual std::vector<HfClass> hf_classes() const { return {}; }
  virtual void translate(Translation&) const {}
};

// Finds the family by general.architecture and checks the finished spec. Error{unimplemented} with
// the list of known architectures when none reads it.
ModelSpec describe_model(const ModelFile& file);

}  // namespace strata::models
