// The OpenAI dialect's parts, internal to this folder.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/dialect/answer.h"
#include "api/json_fields.h"
#include "api/request.h"

namespace strata::api::openai {

// A request as read from the wire.
struct Parsed {
  std::vector<ChatRequest> requests;  // one a prompt; chat has one
  bool stream = false;
  bool include_usage = false;
  json::object metadata;
  std::string service_tier = "default";
  bool obfuscate = false;      // pad what is streamed, so that lengths say nothing
  bool function_form = false;  // chat: calls are written in the form of "functions"
  bool timings = false;        // the answer tells how long it took
  bool store = false;          // chat: it is kept with its answer
  json::array messages = {};   // as they were sent, where it is kept
  // completions
  bool echo = false;
  bool logprobs = false;
  std::vector<std::string> prompts;  // texts, for echo; empty string where ids were given
  int32_t n_kept = 1;                // of each prompt's choices, the likeliest
};

// FieldError, Error{invalid_argument}. A model that is not named is "".
Parsed parse_chat(const std::string& body);
Parsed parse_completion(const std::string& body);

// /v1/embeddings.
void embed(const std::shared_ptr<Exchange>& exchange, const Services& services,
           const Dialect& dialect);

// /v1/files and /v1/batches.
void add_file_routes(RouteTable& table, const Services& services);

// /tokenize and /detokenize.
void add_token_routes(RouteTable& table, const Services& services, const Dialect& dialect);

// What an answer needs of its request to be written.
struct WriterInfo {
  std::string id;  // "chatcmpl-…", "cmpl-…"
  int64_t created = 0;
  std::string model;
  bool include_usage = false;
  json::object metadata;
  std::string service_tier = "default";
  bool obfuscate = false;
  bool function_form = false;
  bool logprobs = false;
  bool timings = false;
  bool echo = false;
  std::vector<std::string> prompts;
  // Puts the whole object away, before the answer's end is written.
  std::function<void(json::object)> keep = {};
  int32_t n = 1;       // choices of each prompt
  int32_t n_kept = 1;  // how many of them are answered, the likeliest
};
std::shared_ptr<AnswerWriter> chat_writer(WriterInfo info);
std::shared_ptr<AnswerWriter> completion_writer(WriterInfo info);

// /v1/chat/completions and /v1/completions. model: "" for what the body names.
void answer_chat(const std::shared_ptr<Exchange>& exchange, const Services& services,
                 const Dialect& dialect, const std::string& model = "");
void answer_completion(const std::shared_ptr<Exchange>& exchange, const Services& services,
                       const Dialect& dialect, const std::string& model = "");

// Shared by the two.
json::string finish_reason(inference::FinishReason reason);
json::object error_json(const Error& error);
void read_sampling(Fields& fields, Parsed& parsed, ChatRequest& request, bool completion);
// Of these what answers of /v1/responses have too: how tokens are drawn, but for stop strings.
void read_drawing(Fields& fields, ChatRequest& request);
// Of llama.cpp's fields those that mean something here: typ_p, cache_prompt,
// thinking_budget_tokens, t_max_predict_ms. After read_common_sampling.
void read_llamacpp_fields(Fields& fields, ChatRequest& request);
// The others: passed over where they ask for nothing, else named in `ignored`, or refused where
// they would change the answer.
void pass_over_llamacpp_fields(Fields& fields, std::vector<std::string>& ignored);
constexpr size_t kMaxMetadataPairs = 16;
json::object read_metadata(Fields& fields);
// "user" and "safety_identifier".
std::string read_end_user(Fields& fields);
// "service_tier": who goes first. There is one kind of service otherwise.
struct Tier {
  std::string name = "default";
  int32_t priority = 0;
};
Tier read_tier(Fields& fields);
void read_stream(Fields& fields, Parsed& parsed);
// Last: fields that are left over are refused, or ignored where they do no harm.
void end_fields(Fields& fields, std::vector<std::string>& ignored);

}  // namespace strata::api::openai
