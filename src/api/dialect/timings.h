// How long an answer took, as llama.cpp's server tells it, for the dialects that its clients speak.
#pragma once

#include <string_view>

#include "core/json.h"
#include "inference/engine.h"

namespace strata::api {

// "NAME_n", "NAME_ms", "NAME_per_token_ms", "NAME_per_second" of so many tokens.
void put_speed(json::object& timings, std::string_view name, int32_t n, int64_t ns);
// "cache_n", and these four of the prompt and of what was "predicted".
json::object timings_json(const inference::Usage& usage);

}  // namespace strata::api
