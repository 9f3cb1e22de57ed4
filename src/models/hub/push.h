// Push: from a model of the store to a registry, in the layers that Ollama keeps there: the file,
// and what its Modelfile says beside it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/hub/pull.h"
#include "models/hub/registry.h"

namespace strata::models {

struct PushOptions {
  NetPolicy policy;
  bool insecure = false;  // over plain http, also where the name does not say so
  // How lists call the model's size and type, "135M" and "Q8_0".
  std::string parameter_size, quantization;
  // Stages: "retrieving manifest", "pushing" with a file's hash, "pushing manifest".
  std::function<void(const PullProgress&)> progress;
  std::function<bool()> keep_going;  // false: Error{cancelled}
};

struct PushResult {
  Manifest manifest;                  // of the model that was pushed
  std::vector<std::string> left_out;  // what Ollama's layers cannot say, a line each
};

// The store's model of that name (RegistryName::local) goes to that registry, and nowhere else; a
// blob that is there is not sent again. Errors: not_found (no such model),
// failed_precondition (not one GGUF file; plain http without `insecure`), those of RegistryClient.
PushResult push(const Store& store, std::string_view name, const PushOptions& options);

}  // namespace strata::models
