#include <algorithm>
#include <array>

#include "api/dialect/dialect_common.h"
#include "api/dialect/openai/request_parts.h"
#include "api/limits.h"

namespace strata::api::openai {
namespace {

constexpr std::array<std::string_view, 6> kRoles{"system",    "developer", "user",
                                                 "assistant", "tool",      "function"};

std::string read_part(const json::value& value, const std::string& path, bool refusals,
                      std::vector<std::string>& ignored) {
  Fields part(value, path);
  const std::string type = part.required_text("type");
  const bool refusal = refusals && type == "refusal";
  if (type != "text" && !refusal) {
    part.fail("type", fmt::format("is '{}'; this server reads text parts only", type.substr(0, 40)),
              "send {\"type\": \"text\", \"text\": …}");
  }
  const std::string_view key = refusal ? "refusal" : "text";
  auto piece = part.text(key);
  if (!piece) part.fail(key, "is missing");
  // What can be found again is cached without being told where.
  static constexpr std::array<std::string_view, 1> kIgnorable{"prompt_cache_breakpoint"};
  part.ignore_unread(kIgnorable, ignored);
  return std::move(*piece);
}

std::string arguments_of(Fields& function) {
  return function.text("arguments").value_or("{}");
}

// Before there were tools an answer had one call, without an id.
void read_function_call(Fields& fields, models::Message& message) {
  auto call = fields.object("function_call");
  if (!call) return;
  if (!message.tool_calls.empty()) {
    fields.fail("function_call", "and tool_calls are both there", "send tool_calls only");
  }
  message.tool_calls.push_back(
      {.id = {}, .name = call->required_text("name"), .arguments = arguments_of(*call)});
  call->refuse_unread();
}

// An assistant's: a refusal is what it said instead of an answer.
void read_spoken(Fields& fields, models::Message& message) {
  message.reasoning = fields.text("reasoning_content").value_or("");
  if (const auto newer = fields.text("reasoning")) message.reasoning = *newer;
  message.tool_calls = read_tool_calls(fields, arguments_of);
  read_function_call(fields, message);
  if (const auto refusal = fields.text("refusal"); refusal && message.content.empty()) {
    message.content = *refusal;
  }
  if (fields.has("audio")) {
    fields.fail("audio", "is not supported: no answer of this server has sound",
                "send what was said as content");
  }
}

models::Message read_message(const json::value& value, size_t index,
                             std::vector<std::string>& ignored) {
  Fields fields(value, fmt::format("messages[{}]", index));
  models::Message message;
  message.role = fields.required_text("role");
  if (std::ranges::find(kRoles, message.role) == kRoles.end()) {
    fields.fail("role", "must be system, developer, user, assistant, tool or function");
  }
  const bool spoken = message.role == "assistant";
  message.name = fields.text("name").value_or("");
  if (const json::value* content = fields.get("content")) {
    message.content = read_content(*content, fields.path("content"), spoken, ignored);
  } else if (!spoken) {
    fields.fail("content", "is missing");
  }
  if (spoken) read_spoken(fields, message);
  if (message.role == "tool") message.tool_call_id = fields.text("tool_call_id").value_or("");
  if (message.role == "function") {
    message.role = "tool";
    if (message.name.empty()) fields.fail("name", "is missing: the function that answered");
  }
  // Of our own answers, sent back as history.
  const auto* annotations = fields.get("annotations");
  const bool empty = annotations && annotations->is_array() && annotations->get_array().empty();
  if (annotations && !empty) ignored.push_back(fields.path("annotations"));
  fields.refuse_unread();
  return message;
}

}  // namespace

std::string read_content(const json::value& content, const std::string& path, bool refusals,
                         std::vector<std::string>& ignored) {
  if (content.is_string()) return std::string(content.get_string());
  if (!content.is_array()) {
    throw FieldError(path, path + " must be a string or an array of parts");
  }
  const json::array& parts = content.get_array();
  if (parts.size() > kMaxContentParts) {
    throw FieldError(path, fmt::format("{} has {} parts, the limit is {}", path, parts.size(),
                                       kMaxContentParts));
  }
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) {
    text += read_part(parts[i], fmt::format("{}[{}]", path, i), refusals, ignored);
  }
  return text;
}

std::vector<models::Message> read_messages(Fields& fields, std::vector<std::string>& ignored) {
  const auto list = fields.array("messages", kMaxMessages);
  if (list.empty()) {
    fields.fail("messages", "must have at least one message",
                fields.has("prompt") ? "a prompt belongs to /v1/completions" : "");
  }
  std::vector<models::Message> messages;
  for (size_t i = 0; i < list.size(); ++i) messages.push_back(read_message(list[i], i, ignored));
  return messages;
}

}  // namespace strata::api::openai
