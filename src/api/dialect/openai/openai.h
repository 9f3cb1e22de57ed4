// The OpenAI dialect's parts, internal to this folder.
#pragma once

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
  // completions
  bool echo = false;
  bool logprobs = false;
  std::vector<std::string> prompts;  // texts, for echo; empty string where ids were given
};

// FieldError, Error{invalid_argument}.
Parsed parse_chat(const std::string& body);
Parsed parse_completion(const std::string& body);

// /v1/embeddings.
void embed(const std::shared_ptr<Exchange>& exchange, const Services& services,
           const Dialect& dialect);

// What an answer needs of its request to be written.
struct WriterInfo {
  std::string id;  // "chatcmpl-…", "cmpl-…"
  int64_t created = 0;
  std::string model;
  bool include_usage = false;
  bool logprobs = false;
  bool echo = false;
  std::vector<std::string> prompts;
  int32_t n = 1;
};
std::shared_ptr<AnswerWriter> chat_writer(WriterInfo info);
std::shared_ptr<AnswerWriter> completion_writer(WriterInfo info);

// Shared by the two.
json::string finish_reason(inference::FinishReason reason);
json::object error_json(const Error& error);
void read_sampling(Fields& fields, ChatRequest& request, bool completion);
void read_stream(Fields& fields, Parsed& parsed);

}  // namespace strata::api::openai
