// The dialect of llama.cpp's server: its parts, internal to this folder.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/dialect/answer.h"
#include "api/json_fields.h"
#include "api/request.h"

namespace strata::api::llamacpp {

// A request to /completion or /infill as read from the wire.
struct Parsed {
  std::vector<ChatRequest> requests;  // one a prompt
  bool stream = false;
  bool return_tokens = false;
  bool timings_per_token = false;
  bool return_progress = false;
  int32_t n_probs = 0;
  int32_t ping_s = 0;  // silence before a comment in a stream; -1: none comes, 0: the server's
  std::vector<std::string> response_fields;  // empty: all
};

// FieldError, Error{invalid_argument}.
Parsed parse_completion(const json::value& body, const Services& services,
                        const std::string& caller);
Parsed parse_infill(const json::value& body, const Services& services, const std::string& caller);

// What /completion, /props and /slots tell of the settings that an answer is made with.
struct Told {
  const inference::SamplerParams& sampler;
  int32_t max_tokens = -1;
  const std::vector<std::string>& stop;
};
json::object settings_json(const Told& told);

std::shared_ptr<AnswerWriter> completion_writer(const Parsed& parsed,
                                                std::function<int64_t()> now_ms);

// /apply-template.
void apply_template(const std::shared_ptr<Exchange>& exchange, const Services& services,
                    const Dialect& dialect);
// /embedding, /embeddings.
void embed(const std::shared_ptr<Exchange>& exchange, const Services& services,
           const Dialect& dialect);
// /props, /slots, /lora-adapters.
void add_state_routes(RouteTable& table, const Services& services, const Dialect& dialect);

json::object error_json(const Error& error);
Response json_response(const json::value& body);

}  // namespace strata::api::llamacpp
