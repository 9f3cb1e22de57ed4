// From a request whose tokens are to be counted to the answer on the wire, for every dialect.
#pragma once

#include <functional>
#include <memory>

#include "api/dialect/dialect.h"
#include "api/json_fields.h"

namespace strata::api {

// Answers with what `write` makes of the number of the prompt's tokens, or with the dialect's
// error. Names the request's ignored fields. Throws what Gateway::tokenize throws.
void answer_count(const std::shared_ptr<Exchange>& exchange, const Services& services,
                  const Dialect& dialect, ChatRequest request,
                  std::function<json::value(int64_t n_tokens)> write);

}  // namespace strata::api
