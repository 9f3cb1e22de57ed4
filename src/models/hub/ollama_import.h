// Models of an Ollama installation (OLLAMA_MODELS), read only: listed, and taken into the store.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "models/hub/store.h"

namespace strata::models {

struct OllamaModel {
  std::string name;  // "llama3.2:1b", "me/x:v1"
  std::string model_sha256;
  uint64_t model_bytes = 0;
  std::string unusable;  // why it cannot be imported, or ""
};

// OLLAMA_MODELS, else ~/.ollama/models; empty when there is no such folder.
std::filesystem::path ollama_folder();
std::vector<OllamaModel> list_ollama(const std::filesystem::path& folder);
struct TakenModel {
  Manifest manifest;
  std::vector<std::string> left_out;  // what did not come along and why, a line each
};

// Hard link where possible, else a copy; the hash is checked either way. Parameters, system text,
// messages and licences come along; left out are its Go template (the model's own file has one),
// parameters that a Modelfile may not set here, and layers of unknown kinds.
// Error{invalid_argument or unimplemented}, and nothing stays, where the file is no model that can
// be read. `as`: the name here, empty for the same.
TakenModel import_ollama(const Store& store, const std::filesystem::path& folder,
                         std::string_view name, std::string_view as = {},
                         const std::function<bool(uint64_t done)>& progress = {});

}  // namespace strata::models
