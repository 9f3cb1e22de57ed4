// A family: reads a file's metadata and says what the model is. One file a family; nothing else in
// the program knows a family's name.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "core/json.h"
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

// Fields of the config.json of a folder that is written.
struct HfFields {
  json::object said;
  std::vector<std::string_view> unknown;  // that the class refuses, though most have them
  bool rope_of_each_type = false;         // of layers, even where all have the same
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
  // The model_type that such a file was probably made of, where several classes compute the same.
  // Empty: any.
  virtual std::string_view likely_model_type(const ModelFile&) const { return {}; }
  // Of a folder that is written of such a model, for translate() to read: the fields that it looks
  // for itself, and what else the class needs. They count before what Translation says. The padding
  // is there already, where it is known.
  // Error{unimplemented}: the class can't say this model.
  virtual void configure(const ModelSpec&, const ModelFile&, std::string_view /*hf_class*/,
                         HfFields&) const {}
};

// Finds the family by general.architecture and checks the finished spec. Error{unimplemented} with
// the list of known architectures when none reads it.
ModelSpec describe_model(const ModelFile& file);

}  // namespace strata::models
