// A conversation, as every dialect and the chat template see it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace strata::models {

struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;  // JSON text
};

struct Message {
  std::string role = {};       // system, developer, user, assistant, tool
  std::string content = {};    // text; parts are joined by whoever reads the wire
  std::string name = {};       // optional
  std::string reasoning = {};  // an assistant's, optional
  std::vector<ToolCall> tool_calls = {};
  std::string tool_call_id = {};
};

struct Conversation {
  std::vector<Message> messages;
  json::array tools;  // OpenAI's shape: {"type":"function","function":{…}}
  json::array documents;
  bool add_generation_prompt = true;
  json::object variables;  // extra variables of the template, for example enable_thinking
  // What strftime_now() takes as the present, in seconds since 1970; absent: the clock.
  std::optional<int64_t> now_s;
};

}  // namespace strata::models
