#include "api/prompt/prompt.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "api/json_fields.h"
#include "api/prompt/placeholders.h"
#include "core/hash.h"

namespace strata::api {
namespace {

using Type = PromptVariable::Type;

constexpr std::array<std::pair<std::string_view, Type>, 5> kTypes{{{"string", Type::text},
                                                                   {"integer", Type::integer},
                                                                   {"number", Type::number},
                                                                   {"boolean", Type::boolean},
                                                                   {"json", Type::json}}};

constexpr std::array<std::string_view, 4> kRoles{"system", "developer", "user", "assistant"};

constexpr std::array<std::string_view, 13> kSettings{"model",
                                                     "temperature",
                                                     "top_p",
                                                     "top_k",
                                                     "min_p",
                                                     "seed",
                                                     "stop",
                                                     "max_output_tokens",
                                                     "reasoning",
                                                     "text",
                                                     "tools",
                                                     "tool_choice",
                                                     "parallel_tool_calls"};

Type parse_type(Fields& variable) {
  const std::string text = variable.text("type").value_or("string");
  for (const auto& [spelling, type] : kTypes) {
    if (text == spelling) return type;
  }
  variable.fail("type", "must be string, integer, number, boolean or json");
}

bool is_whole(const json::value& value) {
  if (value.is_int64() || value.is_uint64()) return true;
  return value.is_double() && std::nearbyint(value.get_double()) == value.get_double();
}

bool is_of(Type type, const json::value& value) {
  switch (type) {
    case Type::text:
      return value.is_string();
    case Type::integer:
      return value.is_number() && is_whole(value);
    case Type::number:
      return value.is_number();
    case Type::boolean:
      return value.is_bool();
    case Type::json:
      return true;
  }
  return false;
}

// Clients that send texts only spell numbers and the like: read as what the variable is.
json::value typed(Type type, const json::value& value) {
  if (type == Type::text || !value.is_string()) return value;
  try {
    return parse_json(value.get_string());
  } catch (const Error&) {
    return value;
  }
}

[[noreturn]] void refuse(std::string_view variable, std::string what, std::string hint = {}) {
  const std::string field = fmt::format("variables.{}", variable);
  throw FieldError(field, fmt::format("{} {}", field, what), std::move(hint));
}

json::value checked(const PromptVariable& variable, const json::value& value) {
  json::value read = typed(variable.type, value);
  if (!is_of(variable.type, read)) {
    refuse(variable.name, fmt::format("must be of type {}", name(variable.type)));
  }
  return read;
}

PromptVariable read_variable(std::string_view variable_name, Fields fields) {
  PromptVariable variable{.name = std::string(variable_name), .type = parse_type(fields)};
  if (const json::value* fallback = fields.get("default")) {
    variable.fallback = checked(variable, *fallback);
  }
  fields.refuse_unread();
  return variable;
}

std::vector<PromptVariable> read_variables(Fields& prompt) {
  std::vector<PromptVariable> variables;
  if (!prompt.object("variables")) return variables;
  const json::object& declared = prompt.get("variables")->get_object();
  if (declared.size() > kMaxPromptVariables) {
    prompt.fail("variables",
                fmt::format("has {}, the limit is {}", declared.size(), kMaxPromptVariables));
  }
  for (const auto& [key, value] : declared) {
    if (!is_variable_name(key)) {
      prompt.fail("variables", fmt::format("has '{}': a name is a letter or _, then letters, "
                                           "digits or _, at most 64",
                                           std::string_view(key).substr(0, 80)));
    }
    variables.push_back(
        read_variable(key, Fields(value, fmt::format("variables.{}", std::string_view(key)))));
  }
  return variables;
}

PromptMessage read_message(Fields fields) {
  PromptMessage message{.role = fields.required_text("role"), .content = {}};
  if (std::ranges::find(kRoles, message.role) == kRoles.end()) {
    fields.fail("role", "must be system, developer, user or assistant");
  }
  message.content = fields.required_text("content");
  fields.refuse_unread();
  return message;
}

std::vector<PromptMessage> read_messages(Fields& prompt) {
  const auto text = prompt.text("text");
  const auto list = prompt.array("messages", kMaxPromptMessages);
  if (text.has_value() != list.empty()) {
    prompt.fail("messages", "or text: one of them says what the prompt is");
  }
  if (text) return {{.role = "system", .content = *text}};
  std::vector<PromptMessage> messages;
  for (size_t i = 0; i < list.size(); ++i) {
    messages.push_back(read_message(Fields(list[i], fmt::format("messages[{}]", i))));
  }
  return messages;
}

// Declares what stands in messages only, and refuses what stands in none.
void match_variables(PromptContent& content) {
  std::vector<std::string> used;
  size_t bytes = 0;
  for (const PromptMessage& message : content.messages) {
    bytes += message.content.size();
    for (std::string& each : placeholders(message.content)) used.push_back(std::move(each));
  }
  if (bytes > kMaxPromptBytes) {
    throw FieldError(
        "messages", fmt::format("messages have {} bytes, the limit is {}", bytes, kMaxPromptBytes));
  }
  std::set<std::string> declared;
  for (const PromptVariable& variable : content.variables) {
    if (std::ranges::find(used, variable.name) == used.end()) {
      refuse(variable.name, "stands in no message",
             fmt::format("write {{{{{}}}}} where it belongs", variable.name));
    }
    declared.insert(variable.name);
  }
  for (const std::string& each : used) {
    if (declared.insert(each).second) content.variables.push_back({.name = each});
  }
  if (content.variables.size() > kMaxPromptVariables) {
    throw FieldError("messages", fmt::format("messages have {} variables, the limit is {}",
                                             content.variables.size(), kMaxPromptVariables));
  }
  std::ranges::sort(content.variables, {}, &PromptVariable::name);
}

json::object read_settings(Fields& prompt) {
  auto settings = prompt.object("settings");
  if (!settings) return {};
  for (const std::string_view key : kSettings) settings->get(key);
  settings->refuse_unread();
  return prompt.get("settings")->get_object();
}

json::value sorted(const json::value& value) {
  if (const json::array* array = value.if_array()) {
    json::array out;
    for (const json::value& item : *array) out.push_back(sorted(item));
    return out;
  }
  const json::object* object = value.if_object();
  if (object == nullptr) return value;
  std::map<std::string, json::value> by_name;
  for (const auto& [key, member] : *object) by_name.emplace(key, sorted(member));
  json::object out;
  for (auto& [key, member] : by_name) out[key] = std::move(member);
  return out;
}

std::map<std::string, std::string, std::less<>> texts_of(const PromptContent& content,
                                                         const json::object& values) {
  std::map<std::string, std::string, std::less<>> texts;
  for (const PromptVariable& variable : content.variables) {
    const json::value* given = values.if_contains(variable.name);
    if (given == nullptr && !variable.fallback) {
      refuse(variable.name, "is missing: the prompt needs it and has no default for it");
    }
    const json::value value = given != nullptr ? checked(variable, *given) : *variable.fallback;
    texts[variable.name] =
        variable.type == Type::text ? std::string(value.get_string()) : to_json(value);
  }
  for (const auto& [key, value] : values) {
    if (!texts.contains(std::string_view(key))) {
      refuse(key, "is no variable of this prompt",
             "strata prompt show NAME lists those that it has");
    }
  }
  return texts;
}

}  // namespace

std::string_view name(PromptVariable::Type type) {
  return kTypes[static_cast<size_t>(type)].first;
}

PromptContent parse_prompt(const json::value& value) {
  Fields fields(value);
  PromptContent content{.messages = read_messages(fields),
                        .variables = read_variables(fields),
                        .settings = read_settings(fields)};
  fields.refuse_unread();
  match_variables(content);
  return content;
}

json::object to_json_object(const PromptContent& content) {
  json::array messages;
  for (const PromptMessage& message : content.messages) {
    messages.push_back(json::object{{"role", message.role}, {"content", message.content}});
  }
  json::object variables;
  for (const PromptVariable& variable : content.variables) {
    json::object one{{"type", name(variable.type)}};
    if (variable.fallback) one["default"] = *variable.fallback;
    variables[variable.name] = std::move(one);
  }
  return {{"messages", std::move(messages)},
          {"variables", std::move(variables)},
          {"settings", content.settings}};
}

std::string content_hash(const PromptContent& content) {
  return sha256_hex(to_json(sorted(to_json_object(content))));
}

std::vector<models::Message> render(const PromptContent& content, const json::object& values) {
  const auto texts = texts_of(content, values);
  std::vector<models::Message> messages;
  size_t bytes = 0;
  for (const PromptMessage& message : content.messages) {
    models::Message& out = messages.emplace_back();
    out.role = message.role;
    out.content = fill(message.content, [&](std::string_view variable) {
      const std::string& text = texts.find(variable)->second;
      bytes += text.size();  // a value may stand in a message many times
      if (bytes > kMaxPromptBytes) {
        throw Error(Code::resource_exhausted,
                    fmt::format("the prompt filled in has over {} bytes, which is the limit",
                                kMaxPromptBytes),
                    "give shorter values");
      }
      return text;
    });
  }
  return messages;
}

std::string as_text(const PromptContent& content) {
  std::string text;
  for (const PromptMessage& message : content.messages) {
    text += fmt::format("[{}]\n{}{}", message.role, message.content,
                        message.content.ends_with('\n') ? "" : "\n");
  }
  for (const PromptVariable& variable : content.variables) {
    text += fmt::format("variable {}: {}{}\n", variable.name, name(variable.type),
                        variable.fallback ? " = " + to_json(*variable.fallback) : "");
  }
  for (const auto& [key, value] : content.settings) {
    text += fmt::format("setting {}: {}\n", std::string_view(key), to_json(value));
  }
  return text;
}

}  // namespace strata::api
