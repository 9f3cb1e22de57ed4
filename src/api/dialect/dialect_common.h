// What several dialects read in the same way: sampling fields, stop strings, times to keep a model.
#pragma once

#include <cstdint>
#include <optional>

#include "api/gateway/backend.h"
#include "api/http/http.h"
#include "api/json_fields.h"
#include "api/request.h"

namespace strata::api {

// A field that means what the PARAMETER `name` of a model means, with that one's range
// (models/parameters.h): what a request may ask can be saved, and the other way round.
std::optional<int32_t> read_parameter_integer(Fields& fields, std::string_view key,
                                              std::string_view name);
std::optional<float> read_parameter_number(Fields& fields, std::string_view key,
                                           std::string_view name);

// Sampling fields that OpenAI, llama.cpp, vLLM and Ollama share, under these names and with a
// model's ranges: top_p, seed, top_k, min_p, typical_p, top_n_sigma, repeat_penalty, repeat_last_n,
// xtc_*, dry_*, mirostat*.
void read_common_sampling(Fields& fields, SamplingOptions& options);
void read_stop(Fields& fields, SamplingOptions& options, size_t max_count, size_t max_bytes);
// The message's "tool_calls". `arguments_of` reads "arguments" of the object that it is given, as
// JSON text: dialects write them as a text or as an object.
std::vector<models::ToolCall> read_tool_calls(Fields& message,
                                              std::string (*arguments_of)(Fields& function));
// Token ids of an array. FieldError with the field's name.
std::vector<int32_t> read_ids(const json::array& items, const Fields& fields, std::string_view key);
// "5m", "1h30m", "300ms", 300 (seconds), -1 (for ever), 0 (unload) → milliseconds, -1 for ever.
std::optional<int64_t> read_keep_alive(Fields& fields);
// FieldError unless it names a model sensibly.
std::string read_model_name(Fields& fields, std::string_view key);
// What to do with a conversation that does not fit, where the field is there.
std::optional<ContextPolicy> read_context_policy(Fields& fields, std::string_view key);
// Where neither a field nor this header says it, the model or the server does.
constexpr std::string_view kContextPolicyHeader = "x-strata-context-policy";
// Says in the request whose it is, and what its header says of the context.
// Error{invalid_argument}: the header says no policy.
void name_caller(ChatRequest& request, const Request& http);
// The card that the name stands for (models::resolve_name), with or without ":latest".
// Error{not_found} with "did you mean".
const ModelCard& find_card(const std::vector<ModelCard>& cards, std::string_view name);
// Body → JSON object's value; limits of the room. Error{invalid_argument}.
json::value read_body(const std::string& body);
// UTC, RFC 3339 with fractions as given: "2026-11-24T00:33:00.123Z".
std::string rfc3339(int64_t ms_since_1970);

}  // namespace strata::api
