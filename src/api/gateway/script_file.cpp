#include <algorithm>
#include <array>

#include "api/gateway/scripted.h"
#include "api/json_fields.h"

namespace strata::api {
namespace {

Code parse_code(const std::string& text) {
  for (int i = 0; i <= static_cast<int>(Code::deadline_exceeded); ++i) {
    if (name(static_cast<Code>(i)) == text) return static_cast<Code>(i);
  }
  throw Error(Code::invalid_argument, fmt::format("there is no error code '{}'", text));
}

ScriptedCall read_call(Fields fields) {
  ScriptedCall call;
  call.name = fields.required_text("name");
  const json::value* arguments = fields.get("arguments");
  call.arguments = arguments != nullptr ? to_json(*arguments) : "{}";
  fields.refuse_unread();
  return call;
}

ScriptedRule read_rule(Fields fields) {
  ScriptedRule rule;
  rule.contains = fields.text("contains").value_or("");
  rule.role = fields.text("role").value_or("");
  for (const json::value& call : fields.array("calls", 128)) {
    rule.calls.push_back(read_call(Fields(call, "rules.calls")));
  }
  rule.reply = fields.text("reply").value_or(rule.calls.empty() ? "{message}" : "");
  rule.reasoning = fields.text("reasoning").value_or("");
  rule.finish = fields.text("finish").value_or("");
  rule.fail_after = static_cast<int32_t>(fields.integer("fail_after", -1, 1'000'000).value_or(-1));
  rule.fail_code = parse_code(fields.text("fail_code").value_or("internal"));
  rule.fail_message = fields.text("fail_message").value_or("the script says that this fails");
  fields.refuse_unread();
  return rule;
}

ScriptedModel read_model(Fields fields) {
  ScriptedModel model;
  model.name = fields.required_text("name");
  model.context = static_cast<int32_t>(fields.integer("context", 1, 1 << 24).value_or(4096));
  model.tokens_per_second = fields.number("tokens_per_second", 0, 1e6).value_or(0);
  model.prompt_tokens_per_second = fields.number("prompt_tokens_per_second", 0, 1e6).value_or(0);
  model.babble = fields.boolean("babble").value_or(false);
  for (const json::value& rule : fields.array("rules", 10'000)) {
    model.rules.push_back(read_rule(Fields(rule, "rules")));
  }
  fields.refuse_unread();
  return model;
}

}  // namespace

ScriptedOptions parse_script(std::string_view text) {
  const json::value document = parse_json(text);
  Fields fields(document);
  ScriptedOptions options;
  options.max_running =
      static_cast<int32_t>(fields.integer("max_running", 1, 100'000).value_or(32));
  options.max_queue = static_cast<int32_t>(fields.integer("max_queue", 0, 100'000).value_or(512));
  for (const json::value& model : fields.array("models", 1000)) {
    options.models.push_back(read_model(Fields(model, "models")));
  }
  fields.refuse_unread();
  if (options.models.empty()) {
    throw Error(Code::invalid_argument, "the script has no models",
                R"(begin with {"models": [{"name": "demo", "rules": []}]})");
  }
  return options;
}

ScriptedOptions default_script() {
  ScriptedOptions options;
  options.models.resize(2);
  options.models[0].name = "echo";
  options.models[1].name = "babble";
  options.models[1].babble = true;
  return options;
}

}  // namespace strata::api
