// What a request gets when it says nothing: the model's own settings, then the product's
// (Ollama's). One place for every dialect and the terminal; described in docs/defaults.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inference/sampler_params.h"
#include "models/model.h"
#include "models/parameters.h"

namespace strata::inference {

constexpr int32_t kDefaultContext = 4096;  // positions, where neither user nor model says

struct GenerationDefaults {
  SamplerParams sampler;    // its seed counts only when seed_given
  bool seed_given = false;  // else the caller draws one at random for each request
  int32_t max_tokens = -1;  // -1: until the context is full
  std::vector<std::string> stop;
  std::optional<int32_t> num_ctx;
  std::string context_policy;        // of models/parameters.h; "": none is said
  std::vector<std::string> ignored;  // parameters of the model that have no effect here
};

// The product's defaults, then the file's general.sampling.* keys, then the overrides' parameters.
// Errors: invalid_argument with the name and value of a setting that is malformed or out of range,
// or of a parameter that is refused or not known (models/parameters.h), with the way out.
GenerationDefaults generation_defaults(const models::Model& model);
SamplerParams default_sampler(const models::Model& model);

// All settings that a model brings, by the names of PARAMETER: the overrides, and what only its
// file says. What generation_defaults() takes, as it stands there. Error{invalid_argument}: a key
// of the file has another type.
models::Parameters own_parameters(const models::ModelFile& file,
                                  const models::Parameters& overrides);

// Checks parameters without a model, for `create -f Modelfile`. Errors as above.
GenerationDefaults parse_parameters(const models::Parameters& parameters);

}  // namespace strata::inference
