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
      return compile_json_schema(x, rule.schema, {.members = rule.members});
    case Kind::regex:
      return x.block(parse_regex(x, rule.text));
    case Kind::choice:
      return choice(x, rule.choices);
    case Kind::gbnf:
      return compile_gbnf(x, rule.text);
    case Kind::lark:
      return compile_lark(x, rule.text, rule.members);
    case Kind::none:
      break;
  }
  refuse("there is no rule for the output");
}

ExprId behind(Expressions& x, const std::string& front, ExprId rest) {
  return front.empty() ? rest : x.sequence(compile_lark(x, front), rest);
}

ExprId trigger_rule(Expressions& x, const OutputTrigger& trigger) {
  constexpr size_t kMaxTriggerBytes = 1024;
  if (trigger.begin.empty() || (!trigger.bare && trigger.begin.size() > kMaxTriggerBytes)) {
    refuse(fmt::format("a trigger has {} bytes, it must have 1 to {}", trigger.begin.size(),
                       kMaxTriggerBytes));
  }
  const ExprId rule = build(x, trigger.rule);
  if (rule == Expressions::kNothing) {
    refuse(trigger.bare ? "no text follows the rule of calls"
                        : fmt::format("no text follows the rule behind {}", trigger.begin));
  }
  return rule;
}

// How texts start that follow the rules of bare triggers.
ExprId bare_beginnings(Expressions& x, const std::vector<OutputTrigger>& triggers) {
  std::vector<ExprId> any;
  for (const OutputTrigger& trigger : triggers) {
    if (trigger.bare) any.push_back(compile_lark(x, trigger.begin));
  }
  return x.any_of(any);
}

ExprId bare_texts(Expressions& x, const std::vector<OutputTrigger>& triggers) {
  std::vector<ExprId> any;
  for (const OutputTrigger& trigger : triggers) {
    if (trigger.bare) any.push_back(trigger_rule(x, trigger));
  }
  return x.any_of(any);
}

// One or several, with a few blanks between them; the last ones at their end.
ExprId calls(Expressions& x, const std::vector<OutputTrigger>& triggers) {
  std::vector<ExprId> some, last{bare_texts(x, triggers)};
  for (const OutputTrigger& trigger : triggers) {
    if (trigger.bare) continue;
    const ExprId call = x.sequence(marker_text(x, trigger.begin), trigger_rule(x, trigger));
    (trigger.last ? last : some).push_back(call);
  }
  const ExprId one = x.any_of(some);
  const ExprId end = x.any_of(last);
  const ExprId blanks = x.repeat(x.texts({" ", "\n"}), 0, 2);
  const ExprId several = x.sequence(one, x.repeat(x.sequence(blanks, one), 0, -1));
  return x.any_of({several, end});
}

}  // namespace

std::shared_ptr<Grammar> compile(const OutputRule& rule) {
  return compile(rule, {}, {});
}

std::shared_ptr<Grammar> compile(const OutputRule& rule, const std::vector<OutputTrigger>& triggers,
                                 const OutputFrame& frame) {
  auto grammar = std::make_shared<Grammar>();
  Expressions& x = grammar->expressions;
  x.allow(kCompileSteps);
  ExprId text = Expressions::kNothing;
  if (!frame.calls_only) {
    text = build(x, rule);
    if (text == Expressions::kNothing) {
      refuse("no text follows the rule of the output: its parts contradict each other");
    }
    text = x.unless(behind(x, frame.front.text, text), bare_beginnings(x, triggers));
  }
  grammar->start = behind(x, frame.front.any, x.any_of({text, calls(x, triggers)}));
  x.seal();
  return grammar;
}

std::shared_ptr<Grammar> compile(const std::vector<OutputTrigger>& triggers,
                                 const OutputFrame& frame) {
  CHECK(!triggers.empty());
  auto grammar = std::make_shared<Grammar>();
  Expressions& x = grammar->expressions;
  x.allow(kCompileSteps);
  std::vector<Expressions::Trigger> marked;
  for (const OutputTrigger& trigger : triggers) {
    if (!trigger.bare) marked.push_back({trigger.begin, trigger_rule(x, trigger), trigger.last});
  }
  grammar->start = x.free_text(std::move(marked));
  const ExprId begun = bare_beginnings(x, triggers);
  if (begun != Expressions::kNothing) {
    const std::string& front = frame.front.any;
    grammar->start = x.any_of({x.unless(grammar->start, behind(x, front, begun)),
                               behind(x, front, bare_texts(x, triggers))});
  }
  x.seal();
  return grammar;
}

}  // namespace strata::inference
