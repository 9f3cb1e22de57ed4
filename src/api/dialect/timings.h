// How long an answer took and may take, in the words of llama.cpp's server, for the dialects that
// its clients speak.
#pragma once

#include <cstdint>

#include "api/json_fields.h"
#include "core/json.h"
#include "inference/engine.h"

namespace strata::api {

// "cache_n", and "…_n", "…_ms", "…_per_token_ms", "…_per_second" of the prompt and of what was
// "predicted".
json::object timings_json(const inference::Usage& usage);
// "t_max_predict_ms", as ChatRequest::most_ms; 0: no limit. FieldError.
int64_t read_time_limit(Fields& fields);

}  // namespace strata::api
