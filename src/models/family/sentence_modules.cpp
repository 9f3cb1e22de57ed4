#include "models/family/sentence_modules.h"

#include "core/error.h"
#include "core/json.h"
#include "models/family/hf_config.h"
#include "models/family/limits.h"
#include "models/format/gguf_part.h"
#include "models/format/hf_folder.h"

namespace strata::models {
namespace {

[[noreturn]] void refuse_module(std::string_view type, bool beside_another) {
  throw Error(Code::unimplemented,
              fmt::format("modules.json: a module '{}'{} is not supported yet", printable(type),
                          beside_another ? " beside another" : ""),
              "without it the vectors would be others; choose a model without it");
}

struct Module {
  std::string type, kind, path;
};

Module module_of(const json::value& entry) {
  if (!entry.is_object()) throw Error(Code::invalid_argument, "modules.json: no object");
  Module module;
  module.type = text_in(entry.get_object(), "type", kModulesFile).value_or("");
  module.kind = module.type.substr(module.type.rfind('.') + 1);
  module.path = text_in(entry.get_object(), "path", kModulesFile).value_or("");
  const bool needs_folder = module.kind == "Pooling" || module.kind == "Dense";
  if ((needs_folder || !module.path.empty()) && !is_plain_name(module.path)) {
    throw Error(Code::invalid_argument,
                fmt::format("modules.json: '{}' is no folder's name", printable(module.path)));
  }
  return module;
}

}  // namespace

std::string dense_name(size_t index) {
  return fmt::format("dense_{}", index + kFirstDense);
}

SentenceModules sentence_modules_of(std::string_view modules_json) {
  const json::value modules = parse_json(modules_json, {.max_bytes = kMaxHfConfig, .max_depth = 8});
  if (!modules.is_array()) throw Error(Code::invalid_argument, "modules.json is no list");
  SentenceModules found;
  bool normed = false;
  for (const json::value& entry : modules.get_array()) {
    const Module module = module_of(entry);
    const std::string& kind = module.kind;
    if (kind == "Transformer" && !module.path.empty()) {
      throw Error(Code::unimplemented,
                  fmt::format("modules.json: the model is in the folder '{}', which is not "
                              "supported yet",
                              printable(module.path)),
                  "move that folder's files beside modules.json, and make its path empty there");
    }
    if (!module.path.empty()) found.folders.push_back(module.path);
    normed = normed || kind == "Normalize";
    if (kind == "Transformer" || kind == "Normalize" || kind == "Dropout") continue;
    // A vector that was made of length 1 before would be another one.
    const bool is_dense = kind == "Dense" && !found.pooling.empty() && !normed;
    const bool is_pooling = kind == "Pooling" && found.pooling.empty();
    if (!is_dense && !is_pooling) refuse_module(module.type, kind == "Pooling");
    if (is_pooling) {
      found.pooling = module.path;
    } else if (found.dense.size() == kMaxDenseStages) {
      refuse_module(module.type, true);
    } else {
      found.dense.push_back(module.path);
    }
  }
  return found;
}

bool has_pooling(const ModelFile& file) {
  const std::string_view architecture = file.text("general.architecture").value_or("");
  return file.integer(fmt::format("{}.pooling_type", architecture)).value_or(0) > 0;
}

}  // namespace strata::models
