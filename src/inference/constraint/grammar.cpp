#include "inference/constraint/grammar.h"

#include "core/check.h"
#include "core/error.h"
#include "inference/constraint/code_points.h"
#include "inference/constraint/ebnf.h"
#include "inference/constraint/json_schema.h"
#include "inference/constraint/json_text.h"
#include "inference/constraint/limits.h"
#include "inference/constraint/regex.h"

namespace strata::inference {
namespace {

[[noreturn]] void refuse(std::string message, std::string hint = {}) {
  throw Error(Code::invalid_argument, std::move(message), std::move(hint));
}

ExprId choice(Expressions& x, const std::vector<std::string>& choices) {
  if (choices.empty()) refuse("there is nothing to choose from");
  size_t bytes = 0;
  std::vector<std::string> texts;
  for (const std::string& text : choices) {
    bytes += text.size();
    texts.push_back(spell(text, Spelling::plain));
  }
  if (bytes > kMaxRuleBytes) {
    refuse(fmt::format("the choices have {} bytes, the limit is {}", bytes, kMaxRuleBytes));
  }
  return x.block(x.texts(std::move(texts)));
}

ExprId build(Expressions& x, const OutputRule& rule) {
  using Kind = OutputRule::Kind;
  if (rule.text.size() > kMaxRuleBytes) {
    refuse(
        fmt::format("the grammar has {} bytes, the limit is {}", rule.text.size(), kMaxRuleBytes));
  }
  switch (rule.kind) {
    case Kind::json_object:
      return JsonText(x).object_rule();
    case Kind::json_schema:
      return compile_json_schema(x, rule.schema);
    case Kind::regex:
      return x.block(parse_regex(x, rule.text));
    case Kind::choice:
      return choice(x, rule.choices);
    case Kind::gbnf:
      return compile_gbnf(x, rule.text);
    case Kind::lark:
      return compile_lark(x, rule.text);
    case Kind::none:
      break;
  }
  refuse("there is no rule for the output");
}

}  // namespace

std::shared_ptr<Grammar> compile(const OutputRule& rule) {
  auto grammar = std::make_shared<Grammar>();
  Expressions& x = grammar->expressions;
  x.allow(kCompileSteps);
  grammar->start = build(x, rule);
  if (grammar->start == Expressions::kNothing) {
    refuse("no text follows the rule of the output: its parts contradict each other");
  }
  x.seal();
  return grammar;
}

std::shared_ptr<Grammar> compile(const std::vector<OutputTrigger>& triggers) {
  CHECK(!triggers.empty());
  auto grammar = std::make_shared<Grammar>();
  Expressions& x = grammar->expressions;
  x.allow(kCompileSteps);
  std::vector<std::string> begins;
  std::vector<ExprId> rules;
  for (const OutputTrigger& trigger : triggers) {
    constexpr size_t kMaxTriggerBytes = 1024;
    if (trigger.begin.empty() || trigger.begin.size() > kMaxTriggerBytes) {
      refuse(fmt::format("a trigger has {} bytes, it must have 1 to {}", trigger.begin.size(),
                         kMaxTriggerBytes));
    }
    begins.push_back(trigger.begin);
    rules.push_back(build(x, trigger.rule));
    if (rules.back() == Expressions::kNothing) {
      refuse(fmt::format("no text follows the rule behind {}", trigger.begin));
    }
  }
  grammar->start = x.free_text(std::move(begins), std::move(rules));
  x.seal();
  return grammar;
}

}  // namespace strata::inference
