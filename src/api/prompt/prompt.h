// A prompt of the registry: messages with typed variables, and the settings that go with them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "models/chat/message.h"

namespace strata::api {

constexpr size_t kMaxPromptBytes = 1u << 20;  // of all messages together, filled in or not
constexpr size_t kMaxPromptMessages = 100;
constexpr size_t kMaxPromptVariables = 200;
constexpr size_t kMaxPromptNameBytes = 64;

struct PromptVariable {
  enum class Type { text, integer, number, boolean, json };
  std::string name;
  Type type = Type::text;
  std::optional<json::value> fallback = {};  // what it is when nobody gives it; absent: required
};

struct PromptMessage {
  std::string role;     // system, developer, user or assistant
  std::string content;  // {{name}} is where the variable of that name stands
};

struct PromptContent {
  std::vector<PromptMessage> messages;
  std::vector<PromptVariable> variables;
  // Fields of a request that hold where the request itself does not say: model, temperature, …
  json::object settings;
};

// JSON: {"messages": […] or "text": "…", "variables": {name: {"type", "default"}}, "settings": {}}.
// A name that stands in a message and is not declared is a text that has to be given. Errors:
// FieldError, with the field; also for a declared variable that stands nowhere.
PromptContent parse_prompt(const json::value& value);
json::object to_json_object(const PromptContent& content);
// SHA-256 of the content, whatever the order of its keys.
std::string content_hash(const PromptContent& content);

// The messages with every variable filled in; what a value spells is not looked at again.
// `values`: by name; numbers, booleans and JSON as such or spelled as text. FieldError for one that
// is missing, of another type, or not known; resource_exhausted over kMaxPromptBytes.
std::vector<models::Message> render(const PromptContent& content, const json::object& values);

std::string_view name(PromptVariable::Type type);

// One text for people and for comparing line by line.
std::string as_text(const PromptContent& content);

}  // namespace strata::api
