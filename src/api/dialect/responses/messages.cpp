#include "api/dialect/responses/responses.h"

namespace strata::api::responses {
namespace {

std::string_view text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value && value->is_string() ? std::string_view(value->get_string()) : std::string_view();
}

// The texts of all parts, or the text itself.
std::string joined(const json::object& item, std::string_view key) {
  const json::value* value = item.if_contains(key);
  if (!value || !value->is_array()) return std::string(text_of(item, key));
  std::string text;
  for (const json::value& part : value->get_array()) {
    text += text_of(part.as_object(), "text");
    text += text_of(part.as_object(), "refusal");
  }
  return text;
}

// The assistant's message that this item is a part of: the last one, or a new one.
models::Message& assistants(std::vector<models::Message>& messages, bool fits_behind) {
  if (messages.empty() || messages.back().role != "assistant" || !fits_behind) {
    messages.push_back({.role = "assistant"});
  }
  return messages.back();
}

void append_reasoning(const json::object& item, std::vector<models::Message>& messages) {
  std::string text = joined(item, "content");
  if (text.empty()) text = joined(item, "summary");
  // Reasoning comes first in a message.
  models::Message& message = assistants(messages, false);
  message.reasoning = std::move(text);
}

void append_message(const json::object& item, std::vector<models::Message>& messages) {
  const std::string role(text_of(item, "role"));
  if (role != "assistant") {
    messages.push_back({.role = role, .content = joined(item, "content")});
    return;
  }
  const bool only_thought =
      !messages.empty() && messages.back().content.empty() && messages.back().tool_calls.empty();
  assistants(messages, only_thought).content = joined(item, "content");
}

}  // namespace

void append_messages(const json::array& items, std::vector<models::Message>& messages) {
  for (const json::value& value : items) {
    const json::object& item = value.as_object();
    const std::string_view type = text_of(item, "type");
    if (type == "message") {
      append_message(item, messages);
    } else if (type == "reasoning") {
      append_reasoning(item, messages);
    } else if (type == "function_call") {
      assistants(messages, true)
          .tool_calls.push_back({.id = std::string(text_of(item, "call_id")),
                                 .name = std::string(text_of(item, "name")),
                                 .arguments = std::string(text_of(item, "arguments"))});
    } else if (type == "function_call_output") {
      messages.push_back({.role = "tool",
                          .content = joined(item, "output"),
                          .name = std::string(text_of(item, "name")),
                          .tool_call_id = std::string(text_of(item, "call_id"))});
    } else if (type == "compaction") {
      const auto text = unseal(text_of(item, "encrypted_content"));
      messages.push_back(
          {.role = "user",
           .content = fmt::format("What was said before, in short:\n\n{}", text.value_or(""))});
    }
  }
}

}  // namespace strata::api::responses
