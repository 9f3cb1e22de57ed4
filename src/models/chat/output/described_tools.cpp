#include "models/chat/output/described_tools.h"

#include <algorithm>

#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

constexpr std::string_view kIntroduction =
    "You may call these functions, each written with the JSON Schema of its arguments:\n";
constexpr std::string_view kForm =
    "To call one, write nothing but its name and its arguments in this form:\n"
    "<tool_call>\n{\"name\": \"NAME\", \"arguments\": {\"KEY\": \"VALUE\"}}\n</tool_call>\n"
    "What it returns then stands between <tool_response> and </tool_response>. Where no function "
    "helps, answer in words.";

std::string description_of(const json::array& tools) {
  std::string text(kIntroduction);
  const ToolSet offered(tools, {});
  for (const OfferedTool& tool : offered.tools()) {
    json::object line{{"name", tool.name}};
    if (!tool.description.empty()) line["description"] = tool.description;
    line["parameters"] = tool.parameters;
    text += to_json(line) + "\n";
  }
  return text + std::string(kForm);
}

bool is_system(const Message& message) {
  return message.role == "system" || message.role == "developer";
}

void put_into_system(std::vector<Message>& messages, std::string_view system,
                     const std::string& text) {
  if (messages.empty() || !is_system(messages.front())) {
    messages.insert(messages.begin(), {.role = "system", .content = std::string(system)});
  }
  std::string& content = messages.front().content;
  if (!content.empty()) content += "\n\n";
  content += text;
}

void put_before_user(std::vector<Message>& messages, const std::string& text) {
  const auto user = std::ranges::find(messages, "user", &Message::role);
  if (user == messages.end()) {
    messages.push_back({.role = "user", .content = text});
  } else {
    user->content = text + "\n\n" + user->content;
  }
}

void write_calls(Message& message) {
  for (const ToolCall& call : message.tool_calls) {
    if (!message.content.empty()) message.content += '\n';
    message.content += "<tool_call>\n{\"name\": " + json_quote(call.name) +
                       ", \"arguments\": " + (call.arguments.empty() ? "{}" : call.arguments) +
                       "}\n</tool_call>";
  }
  message.tool_calls.clear();
}

// Results that follow one another make one message: some templates want the roles to alternate.
std::vector<Message> with_written_calls(std::vector<Message> messages) {
  std::vector<Message> written;
  bool behind_result = false;
  for (Message& message : messages) {
    const bool result = message.role == "tool";
    if (result) {
      std::string text = "<tool_response>\n" + message.content + "\n</tool_response>";
      if (behind_result) {
        written.back().content += "\n" + text;
      } else {
        written.push_back({.role = "user", .content = std::move(text)});
      }
    } else {
      write_calls(message);
      written.push_back(std::move(message));
    }
    behind_result = result;
  }
  return written;
}

}  // namespace

const OutputFormat& described_tools_format() {
  static const MarkedFormat format(MarkedCalls{
      .name = "described",
      .marks = {},
      .sections = {{"<tool_call>", "</tool_call>"}},
      .calls = {"{call}"},
  });
  return format;
}

Conversation with_described_tools(Conversation conversation, std::string_view system,
                                  ToolsPlace place) {
  const std::string text = description_of(conversation.tools);
  conversation.tools.clear();
  conversation.messages = with_written_calls(std::move(conversation.messages));
  if (place == ToolsPlace::system) {
    put_into_system(conversation.messages, system, text);
  } else {
    put_before_user(conversation.messages, text);
  }
  return conversation;
}

}  // namespace strata::models
