#include "api/gateway/remote_answer.h"
#include "core/error.h"

namespace strata::api {
namespace {

// A server may load the model and work long before it answers at all.
constexpr uint64_t kAnswerTimeoutMs = 600'000;

std::string body_of(const EmbeddingRequest& request) {
  json::array input;
  for (const EmbeddingText& text : request.inputs) input.push_back(json::string(text.text));
  json::object body{
      {"model", request.model}, {"input", std::move(input)}, {"truncate", request.truncate}};
  if (request.dimensions) body["dimensions"] = *request.dimensions;
  if (request.prompt_name) body["prompt_name"] = *request.prompt_name;
  if (request.keep_alive_ms) {
    const int64_t ms = *request.keep_alive_ms;
    body["keep_alive"] = ms < 0 ? json::value(-1) : json::value(fmt::format("{}ms", ms));
  }
  return to_json(body);
}

}  // namespace

EmbeddingAnswer embed_on_server(const std::string& base_url, const std::string& key,
                                const EmbeddingRequest& request) {
  if (request.masks) {
    throw Error(Code::unimplemented, "masks are not filled in through another server",
                "ask it itself: POST /models/NAME");
  }
  HttpRequest http = request_to(base_url, key, "POST", "/api/embed", body_of(request));
  http.stall_timeout_ms = kAnswerTimeoutMs;
  const auto response = http_request(http, policy_for_server(base_url));
  if (response.head.status != 200) throw refusal_of(response.head.status, response.body);
  const json::value parsed = parse_json(response.body);
  EmbeddingAnswer answer;
  try {
    for (const json::value& vector : parsed.at("embeddings").as_array()) {
      inference::Embedding& embedding = answer.embeddings.emplace_back();
      for (const json::value& number : vector.as_array()) {
        embedding.vector.push_back(number.to_number<float>());
      }
    }
  } catch (const std::exception&) {
    throw Error(Code::data_loss, "the server's answer holds no vectors",
                "it may be another version of strata: use the same, or --local");
  }
  answer.n_tokens = integer_of(parsed.as_object(), "prompt_eval_count");
  answer.load_ns = integer_of(parsed.as_object(), "load_duration");
  return answer;
}

}  // namespace strata::api
