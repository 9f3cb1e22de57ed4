// From a request for vectors or scores to its answer on the wire, for every dialect.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/dialect/dialect.h"
#include "api/embedding_request.h"
#include "api/json_fields.h"

namespace strata::api {

// Starts the work and answers the exchange with what `write` makes of it, or with the dialect's
// error. Throws what Gateway::embed throws.
void answer_embedding(const std::shared_ptr<Exchange>& exchange, const Services& services,
                      const Dialect& dialect, EmbeddingRequest request,
                      std::function<json::value(const EmbeddingAnswer&)> write);

// Which of the model's prompts goes in front, as Sentence Transformers (prompt_name), Cohere and
// Voyage (input_type) and Jina (task) call the field. FieldError: two of them that differ.
std::optional<std::string> read_prompt_name(Fields& fields);

// A vector as its little-endian float32 bytes in base64.
std::string base64_of(std::span<const float> vector);
// Numbers as short as they read back the same.
json::array to_json_array(std::span<const float> vector);

}  // namespace strata::api
