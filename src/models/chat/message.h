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

// A part of a call while it is being written. The first piece of a call has its id and its name;
// the arguments of all pieces joined are JSON text.
struct ToolCallPiece {
  int32_t index = 0;  // of the call in its answer
  std::string id = {};
  std::string name = {};
  std::string arguments = {};
};

// Whether the model has to call tools, and which it may.
struct ToolChoice {
  enum class Mode { automatic, none, required };
  Mode mode = Mode::automatic;
  std::vector<std::string> names = {};  // only these of the conversation's tools; empty: all
  bool parallel = true;                 // several calls in one answer are allowed
};

// How much the model is to think before it answers. What is absent is the template's own default.
struct ReasoningWish {
  std::optional<bool> think = {};
  std::string effort = {};                 // "low", "medium", "high"…: where a template knows it
  std::optional<int32_t> max_tokens = {};  // of the reasoning
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
