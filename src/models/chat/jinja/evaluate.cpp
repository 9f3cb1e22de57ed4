// The expressions: what a template means.
#include "core/error.h"
#include "models/chat/jinja/builtins.h"
#include "models/chat/jinja/operations.h"
#include "models/chat/jinja/printing.h"
#include "models/chat/jinja/running.h"

namespace strata::models::jinja {

void set_namespace_attribute(Meter& meter, Namespace& space, const std::string& name,
                             const Value& value) {
  if (name.starts_with("_")) {
    meter.fail(
        fmt::format("a namespace cannot store '{}': names with an underscore in front are "
                    "refused",
                    name));
  }
  meter.step_entries(space.attributes.size());
  for (auto& [key, old] : space.attributes) {
    if (key == name) {
      old = value;
      return;
    }
  }
  meter.hold(sizeof(Value) + sizeof(std::string) + name.size());  // until the end
  space.attributes.emplace_back(name, value);
}

Value Interpreter::evaluate(const Expr& expr) {
  const Deeper deeper(*this);
  meter_.step();
  switch (expr.op) {
    case Op::constant:
      return expr.constant;
    case Op::name:
      return evaluate_name(expr);
    case Op::tuple:
    case Op::list:
      return evaluate_sequence(expr);
    case Op::dict:
      return evaluate_dict(expr);
    case Op::attribute: {
      const Value object = evaluate(*expr.parts[0]);
      meter_.at(expr.at);
      return get_attribute(meter_, object, expr.text);
    }
    case Op::item:
      return evaluate_item(expr);
    case Op::call:
      return evaluate_call(expr);
    case Op::filter:
      return evaluate_filter(expr);
    case Op::test:
      return evaluate_test(expr);
    case Op::hole:
      return hole_;
    case Op::and_:
    case Op::or_:
      return evaluate_logic(expr);
    default:
      return evaluate_operation(expr);
  }
}

Value Interpreter::evaluate_operation(const Expr& expr) {
  switch (expr.op) {
    case Op::slice:
      meter_.at(expr.at);
      meter_.fail("a slice among several subscripts");
    case Op::not_:
      return Value(!truthy(evaluate(*expr.parts[0])));
    case Op::negative:
    case Op::positive: {
      const Value value = evaluate(*expr.parts[0]);
      meter_.at(expr.at);
      return negated(meter_, value, expr.op == Op::negative);
    }
    case Op::compare:
      return evaluate_compare(expr);
    case Op::concat:
      return evaluate_concat(expr);
    case Op::conditional:
      return evaluate_conditional(expr);
    default:
      return evaluate_binary(expr);
  }
}

Value Interpreter::evaluate_name(const Expr& expr) {
  if (const auto* value = find(expr.symbol)) return *value;
  return undefined_variable(expr.text);
}

Value Interpreter::evaluate_sequence(const Expr& expr) {
  Values items;
  items.reserve(expr.parts.size());
  for (const auto& part : expr.parts) items.push_back(evaluate(*part));
  meter_.at(expr.at);
  return make_list(meter_, std::move(items), expr.op == Op::tuple);
}

Value Interpreter::evaluate_dict(const Expr& expr) {
  auto dict = std::make_shared<Dict>(meter_, false);
  for (size_t i = 0; i + 1 < expr.parts.size(); i += 2) {
    Value key = evaluate(*expr.parts[i]);
    Value value = evaluate(*expr.parts[i + 1]);
    meter_.at(expr.at);
    if (!key.is_text()) hash_key(meter_, key);
    dict->put(std::move(key), std::move(value));
  }
  return Value(DictPtr(std::move(dict)));
}

Value Interpreter::evaluate_item(const Expr& expr) {
  const Value object = evaluate(*expr.parts[0]);
  const Expr& key = *expr.parts[1];
  if (key.op != Op::slice) {
    const Value index = evaluate(key);
    meter_.at(expr.at);
    return get_item(meter_, object, index);
  }
  Values bounds;
  for (const auto& part : key.parts) bounds.push_back(part ? evaluate(*part) : Value(None{}));
  meter_.at(expr.at);
  return get_slice(meter_, object, bounds[0], bounds[1], bounds[2]);
}

Args Interpreter::evaluate_args(const Expr& expr) {
  Args args;
  args.positional.reserve(expr.parts.size());
  for (size_t i = 1; i < expr.parts.size(); ++i)
    args.positional.push_back(evaluate(*expr.parts[i]));
  for (const auto& keyword : expr.keywords) {
    args.named.emplace_back(keyword.name, evaluate(*keyword.value));
  }
  if (expr.star) {
    const Value more = evaluate(*expr.star);
    meter_.at(expr.at);
    const auto items = iterate(meter_, more);
    meter_.step(items->items.size() / 4);
    args.positional.insert(args.positional.end(), items->items.begin(), items->items.end());
  }
  if (expr.star_star) {
    const Value more = evaluate(*expr.star_star);
    meter_.at(expr.at);
    if (!more.is_dict()) meter_.fail("the argument after ** must be a mapping");
    for (const auto& [key, value] : more.dict()->items()) {
      if (!key.is_text()) meter_.fail("keywords must be strings");
      meter_.step(1 + (key.view().size() >> 10));
      args.named.emplace_back(std::string(key.view()), value);
    }
  }
  return args;
}

Value Interpreter::evaluate_call(const Expr& expr) {
  const Expr& callee = *expr.parts[0];
  if (callee.op == Op::attribute) {  // a method, without making an object of it
    const Value self = evaluate(*callee.parts[0]);
    meter_.at(callee.at);
    if (const auto* method = find_method(self, callee.text)) {
      Args args = evaluate_args(expr);
      meter_.at(expr.at);
      return method->run(*this, self, args);
    }
    const Value function = get_attribute(meter_, self, callee.text);
    Args args = evaluate_args(expr);
    meter_.at(expr.at);
    return call(function, args);
  }
  const Value function = evaluate(callee);
  Args args = evaluate_args(expr);
  meter_.at(expr.at);
  return call(function, args);
}

Value Interpreter::call(const Value& callee, Args& args) {
  if (callee.is_undefined()) fail_undefined(meter_, callee);
  if (const auto* macro = callee.as<Macro>()) {
    const ObjectPtr alive = callee.object();
    return call_macro(*macro, args);
  }
  if (const auto* function = callee.as<Function>()) {
    return function->builtin.run(*this, callee, args);
  }
  if (const auto* method = callee.as<Method>()) {
    return method->builtin.run(*this, method->self, args);
  }
  if (const auto* loop = callee.as<Loop>()) return call_loop(*loop, args);
  if (auto* joiner = callee.as<Joiner>()) {
    return std::exchange(joiner->used, true) ? joiner->separator : text_value(meter_, "");
  }
  meter_.fail(fmt::format("'{}' object is not callable", type_name(callee)));
}

Value Interpreter::evaluate_filter(const Expr& expr) {
  const Value value = evaluate(*expr.parts[0]);
  Args args = evaluate_args(expr);
  meter_.at(expr.at);
  return call_filter(expr.text, value, args);
}

Value Interpreter::call_filter(std::string_view name, const Value& value, Args& args) {
  const auto* filter = find_filter(name);
  if (filter == nullptr) meter_.fail(fmt::format("no filter named '{}'", name));
  const Deeper deeper(*this);
  meter_.step();
  return filter->run(*this, value, args);
}

Value Interpreter::evaluate_test(const Expr& expr) {
  const Value value = evaluate(*expr.parts[0]);
  Args args = evaluate_args(expr);
  meter_.at(expr.at);
  return Value(call_test(expr.text, value, args));
}

bool Interpreter::call_test(std::string_view name, const Value& value, Args& args) {
  const auto* test = find_test(name);
  if (test == nullptr) meter_.fail(fmt::format("no test named '{}'", name));
  meter_.step();
  return truthy(test->run(*this, value, args));
}

Value Interpreter::evaluate_logic(const Expr& expr) {
  Value left = evaluate(*expr.parts[0]);
  if (truthy(left) == (expr.op == Op::or_)) return left;
  return evaluate(*expr.parts[1]);
}

Value Interpreter::evaluate_compare(const Expr& expr) {
  Value left = evaluate(*expr.parts[0]);
  for (size_t i = 0; i < expr.comparisons.size(); ++i) {
    Value right = evaluate(*expr.parts[i + 1]);
    meter_.at(expr.at);
    if (!compares(meter_, expr.comparisons[i], left, right)) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Value Interpreter::evaluate_binary(const Expr& expr) {
  const Value left = evaluate(*expr.parts[0]);
  const Value right = evaluate(*expr.parts[1]);
  meter_.at(expr.at);
  return arithmetic(meter_, expr.op, left, right);
}

Value Interpreter::evaluate_concat(const Expr& expr) {
  TextBuilder out(meter_);
  for (const auto& part : expr.parts) {
    const Value value = evaluate(*part);
    meter_.at(expr.at);
    append_text(out, meter_, value);
  }
  return Value(out.finish());
}

Value Interpreter::evaluate_conditional(const Expr& expr) {
  if (truthy(evaluate(*expr.parts[1]))) return evaluate(*expr.parts[0]);
  if (expr.parts[2]) return evaluate(*expr.parts[2]);
  return undefined_because(
      "the inline if-expression evaluated to false and no else section was defined");
}

}  // namespace strata::models::jinja
