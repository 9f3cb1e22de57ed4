#include "models/chat/chat_template.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "models/chat/jinja/interpreter.h"
#include "models/chat/jinja/parser.h"

namespace strata::models {
namespace {

using jinja::Dict;
using jinja::DictPtr;
using jinja::Meter;
using jinja::None;
using jinja::Value;
using jinja::Values;

class DictBuilder {
 public:
  explicit DictBuilder(Meter& meter) : meter_(meter), dict_(std::make_shared<Dict>(meter, true)) {}
  void put(std::string_view name, Value value) {
    dict_->put(jinja::text_value(meter_, name, true), std::move(value));
  }
  void put_text(std::string_view name, std::string_view text) {
    put(name, jinja::text_value(meter_, text, true));
  }
  Value take() { return Value(DictPtr(std::move(dict_))); }

 private:
  Meter& meter_;
  std::shared_ptr<Dict> dict_;
};

// Arguments travel as JSON text; templates want the object. Text that is no JSON stays text.
Value arguments_of(Meter& meter, const ToolCall& call) {
  json::value object;
  try {
    object = parse_json(call.arguments);
  } catch (const Error& error) {
    if (error.code() != Code::invalid_argument) throw;
    return jinja::text_value(meter, call.arguments, true);
  }
  return jinja::from_json(meter, object);
}

Value tool_call_value(Meter& meter, const ToolCall& call) {
  DictBuilder function(meter);
  function.put_text("name", call.name);
  function.put("arguments", arguments_of(meter, call));
  DictBuilder value(meter);
  if (!call.id.empty()) value.put_text("id", call.id);
  value.put_text("type", "function");
  value.put("function", function.take());
  return value.take();
}

// A role of the closed set is a choice, not text of somebody's: templates build control tokens
// around it ('<|' + role + '|>'). Any other role is marked like all text from outside.
bool is_known_role(std::string_view role) {
  static constexpr std::array<std::string_view, 6> kRoles{"system",    "developer", "user",
                                                          "assistant", "tool",      "function"};
  return std::find(kRoles.begin(), kRoles.end(), role) != kRoles.end();
}

Value message_value(Meter& meter, const Message& message) {
  DictBuilder value(meter);
  // Two names for one thing: some templates read the one, some the other.
  if (!message.reasoning.empty()) value.put_text("thinking", message.reasoning);
  value.put("role", jinja::text_value(meter, message.role, !is_known_role(message.role)));
  value.put_text("content", message.content);
  if (!message.name.empty()) value.put_text("name", message.name);
  if (!message.tool_calls.empty()) {
    Values calls;
    for (const auto& call : message.tool_calls) calls.push_back(tool_call_value(meter, call));
    value.put("tool_calls", jinja::make_list(meter, std::move(calls), false, true));
  }
  if (!message.tool_call_id.empty()) value.put_text("tool_call_id", message.tool_call_id);
  if (!message.reasoning.empty()) value.put_text("reasoning_content", message.reasoning);
  return value.take();
}

Value array_or_none(Meter& meter, const json::array& array) {
  if (array.empty()) return Value(None{});
  Values items;
  for (const auto& item : array) items.push_back(jinja::from_json(meter, item));
  return jinja::make_list(meter, std::move(items), false, true);
}

class JinjaTemplate : public ChatTemplate {
 public:
  JinjaTemplate(std::string_view source, std::string bos, std::string eos,
                const TemplateLimits& limits)
      : source_(source),
        bos_(std::move(bos)),
        eos_(std::move(eos)),
        limits_(limits),
        program_(jinja::parse_program(source, limits)) {}

  MarkedText render(const Conversation& conversation) const override {
    jinja::Interpreter interpreter(program_, limits_, conversation.now_s);
    auto& meter = interpreter.meter();
    Values messages;
    for (const auto& message : conversation.messages) {
      messages.push_back(message_value(meter, message));
    }
    const auto set = [&](const char* name, Value value) {
      interpreter.set_variable(name, std::move(value));
    };
    set("messages", jinja::make_list(meter, std::move(messages), false, true));
    set("tools", array_or_none(meter, conversation.tools));
    set("documents", array_or_none(meter, conversation.documents));
    set("add_generation_prompt", Value(conversation.add_generation_prompt));
    set("bos_token", jinja::text_value(meter, bos_));
    set("eos_token", jinja::text_value(meter, eos_));
    for (const auto& variable : conversation.variables) {
      interpreter.set_variable(std::string(variable.key()),
                               jinja::from_json(meter, variable.value()));
    }
    return interpreter.run();
  }

  const std::string& source() const override { return source_; }

 private:
  std::string source_;
  std::string bos_;
  std::string eos_;
  TemplateLimits limits_;
  std::shared_ptr<const jinja::Program> program_;
};

}  // namespace

std::shared_ptr<const ChatTemplate> ChatTemplate::parse(std::string_view source, std::string bos,
                                                        std::string eos,
                                                        const TemplateLimits& limits) {
  return std::make_shared<const JinjaTemplate>(source, std::move(bos), std::move(eos), limits);
}

}  // namespace strata::models
