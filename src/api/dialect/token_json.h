// A token with its log-probability as OpenAI's chat and Ollama write it.
#pragma once

#include <vector>

#include "core/json.h"
#include "inference/engine.h"

namespace strata::api {

// [{"token", "logprob", "bytes", "top_logprobs": [{"token", "logprob", "bytes"}, …]}, …]
json::array logprob_array(const std::vector<inference::GeneratedToken>& tokens);

}  // namespace strata::api
