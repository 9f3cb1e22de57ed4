// The statements: what a template does.
#include "models/chat/jinja/interpreter.h"

#include <chrono>

#include "core/error.h"
#include "models/chat/jinja/builtins.h"
#include "models/chat/jinja/operations.h"
#include "models/chat/jinja/printing.h"
#include "models/chat/jinja/running.h"

namespace strata::models::jinja {
namespace {

constexpr size_t kEvaluationDepthFactor = 10;  // tree steps for each nested call
constexpr size_t kRetainedBytes = 128;         // about what an object and its scope take

}  // namespace

Interpreter::Interpreter(std::shared_ptr<const Program> program, const TemplateLimits& limits,
                         std::optional<int64_t> now_s)
    : meter_(limits), program_(std::move(program)), now_s_(now_s) {
  globals_.resize(program_->symbols.size());
  for (size_t i = 0; i < program_->symbols.size(); ++i) {
    symbols_.emplace(program_->symbols[i], static_cast<uint32_t>(i));
  }
  for (const auto& builtin : global_functions()) {
    set_variable(std::string(builtin.name), Value(ObjectPtr(std::make_shared<Function>(builtin))));
  }
}

Interpreter::~Interpreter() {
  scope_.reset();
  for (auto& object : retained_) object->drop();
}

void Interpreter::set_variable(const std::string& name, Value value) {
  const auto found = symbols_.find(name);
  if (found != symbols_.end()) globals_[found->second] = std::move(value);
}

void Interpreter::retain(ObjectPtr object) {
  meter_.hold(kRetainedBytes);
  retained_.push_back(std::move(object));
}

int64_t Interpreter::now_s() const {
  if (now_s_) return *now_s_;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

Interpreter::Deeper::Deeper(Interpreter& in) : in_(in) {
  const size_t limit = in_.meter_.limits().max_depth * kEvaluationDepthFactor;
  if (in_.depth_ >= limit) {
    in_.meter_.exhausted(fmt::format("evaluation nested deeper than {} steps", limit));
  }
  ++in_.depth_;
}

MarkedText Interpreter::run() {
  TextBuilder out(meter_);
  out_ = &out;
  scope_ = std::make_shared<Scope>();
  execute(program_->body);
  out_ = nullptr;
  return out.take();
}

Interpreter::Flow Interpreter::execute(const Body& body) {
  for (const auto& stmt : body) {
    if (const Flow flow = execute(*stmt); flow != Flow::on) return flow;
  }
  return Flow::on;
}

Interpreter::Flow Interpreter::execute(const Stmt& stmt) {
  const Deeper deeper(*this);
  meter_.at(stmt.at);
  meter_.step();
  switch (stmt.kind) {
    case St::text:
      out_->add(*stmt.text);
      return Flow::on;
    case St::print: {
      const Value value = evaluate(*stmt.expr);
      append_text(*out_, meter_, value);
      return Flow::on;
    }
    case St::if_:
      return execute_if(stmt);
    case St::for_:
      return execute_for(stmt);
    case St::set:
      execute_set(stmt);
      return Flow::on;
    case St::set_block:
      execute_set_block(stmt);
      return Flow::on;
    case St::macro:
      execute_macro(stmt);
      return Flow::on;
    case St::call:
      execute_call(stmt);
      return Flow::on;
    case St::filter:
      execute_filter(stmt);
      return Flow::on;
    case St::with:
      execute_with(stmt);
      return Flow::on;
    case St::scope:
      return execute_scope(stmt);
    case St::break_:
      return Flow::break_;
    case St::continue_:
      return Flow::continue_;
  }
  return Flow::on;
}

Interpreter::Flow Interpreter::execute_if(const Stmt& stmt) {
  for (const auto& branch : stmt.branches) {
    if (truthy(evaluate(*branch.test))) return execute(branch.body);
  }
  return execute(stmt.otherwise);
}

Interpreter::Flow Interpreter::execute_scope(const Stmt& stmt) {
  in_scope(scope_, [&] { execute(stmt.body); });
  return Flow::on;
}

Interpreter::Flow Interpreter::execute_for(const Stmt& stmt) {
  return run_loop(stmt, evaluate(*stmt.expr), 0);
}

ListPtr Interpreter::filtered_items(const Stmt& stmt, const ListPtr& items) {
  Values kept;
  for (const auto& item : items->items) {
    in_scope(scope_, [&] {
      assign(stmt.targets[0], item);
      if (truthy(evaluate(*stmt.test))) kept.push_back(item);
    });
  }
  return make_list(meter_, std::move(kept), false, items->outside).list();
}

Interpreter::Flow Interpreter::run_loop(const Stmt& stmt, const Value& iterable, size_t depth0) {
  meter_.at(stmt.at);
  ListPtr items = iterate(meter_, iterable);
  if (stmt.test) items = filtered_items(stmt, items);
  if (items->items.empty()) {
    in_scope(scope_, [&] { execute(stmt.otherwise); });
    return Flow::on;
  }
  const auto loop = std::make_shared<Loop>(items, depth0);
  if (stmt.recursive) {
    loop->recursive = &stmt;
    loop->outer = scope_;
    retain(loop);
  }
  Flow flow = Flow::on;
  for (size_t i = 0; i < items->items.size() && flow != Flow::break_; ++i) {
    meter_.step();
    loop->index0 = i;
    in_scope(scope_, [&] {
      define(kLoop, Value(ObjectPtr(loop)));
      assign(stmt.targets[0], items->items[i]);
      flow = execute(stmt.body);
    });
  }
  return Flow::on;
}

void Interpreter::execute_set(const Stmt& stmt) {
  const Value value = evaluate(*stmt.expr);
  meter_.at(stmt.at);
  assign(stmt.targets[0], value);
}

void Interpreter::execute_set_block(const Stmt& stmt) {
  Value value(captured([&] { in_scope(scope_, [&] { execute(stmt.body); }); }));
  if (stmt.expr) {
    const Value outer = std::exchange(hole_, value);
    value = evaluate(*stmt.expr);
    hole_ = outer;
  }
  assign(stmt.targets[0], value);
}

void Interpreter::execute_filter(const Stmt& stmt) {
  const Value body(captured([&] { in_scope(scope_, [&] { execute(stmt.body); }); }));
  const Value outer = std::exchange(hole_, body);
  const Value value = evaluate(*stmt.expr);
  hole_ = outer;
  append_text(*out_, meter_, value);
}

void Interpreter::execute_with(const Stmt& stmt) {
  Values values;
  for (const auto& value : stmt.values) values.push_back(evaluate(*value));
  in_scope(scope_, [&] {
    for (size_t i = 0; i < values.size(); ++i) assign(stmt.targets[i], values[i]);
    execute(stmt.body);
  });
}

void Interpreter::execute_macro(const Stmt& stmt) {
  auto macro = std::make_shared<Macro>(stmt, scope_);
  retain(macro);
  define(stmt.symbol, Value(ObjectPtr(std::move(macro))));
}

void Interpreter::execute_call(const Stmt& stmt) {
  auto caller = std::make_shared<Macro>(stmt, scope_);
  retain(caller);
  const Expr& call_expr = *stmt.expr;
  const Value callee = evaluate(*call_expr.parts[0]);
  Args args = evaluate_args(call_expr);
  args.named.emplace_back("caller", Value(ObjectPtr(std::move(caller))));
  meter_.at(stmt.at);
  const Value value = call(callee, args);
  append_text(*out_, meter_, value);
}

void Interpreter::assign(const Target& target, const Value& value) {
  switch (target.kind) {
    case Target::Kind::name:
      define(target.symbol, value);
      return;
    case Target::Kind::attribute: {
      const auto* found = find(target.symbol);
      meter_.at(target.at);
      auto* space = found == nullptr ? nullptr : found->as<Namespace>();
      if (space == nullptr) meter_.fail("cannot assign attribute on non-namespace object");
      set_namespace_attribute(meter_, *space, target.attribute, value);
      return;
    }
    case Target::Kind::tuple: {
      meter_.at(target.at);
      const auto items = iterate(meter_, value);
      if (items->items.size() != target.parts.size()) {
        meter_.fail(fmt::format("cannot unpack {} values into {} names", items->items.size(),
                                target.parts.size()));
      }
      for (size_t i = 0; i < target.parts.size(); ++i) assign(target.parts[i], items->items[i]);
      return;
    }
  }
}

void Interpreter::define(uint32_t symbol, Value value) {
  meter_.step_entries(scope_->names.size());
  for (auto& [name, old] : scope_->names) {
    if (name == symbol) {
      old = std::move(value);
      return;
    }
  }
  scope_->names.emplace_back(symbol, std::move(value));
}

const Value* Interpreter::find(uint32_t symbol) {
  for (const Scope* scope = scope_.get(); scope != nullptr; scope = scope->parent.get()) {
    meter_.step_entries(scope->names.size());
    for (const auto& [name, value] : scope->names) {
      if (name == symbol) return &value;
    }
  }
  return globals_[symbol] ? &*globals_[symbol] : nullptr;
}

// --- Macros and recursive loops ---

void Interpreter::bind_parameters(const Macro& macro, Args& args) {
  const auto& definition = macro.definition;
  const auto& parameters = definition.parameters;
  bool own_caller = false;
  const auto take_named = [&](std::string_view name) -> std::optional<Value> {
    meter_.step_entries(args.named.size());
    for (auto place = args.named.begin(); place != args.named.end(); ++place) {
      if (place->first != name) continue;
      Value value = std::move(place->second);
      args.named.erase(place);
      return value;
    }
    return {};
  };
  for (size_t i = 0; i < parameters.size(); ++i) {
    const auto& parameter = parameters[i];
    own_caller |= parameter.symbol == kCaller;
    std::optional<Value> value;
    if (i < args.positional.size()) {
      value = args.positional[i];
    } else {
      value = take_named(parameter.name);
    }
    if (!value && parameter.fallback) value = evaluate(*parameter.fallback);
    define(parameter.symbol, value ? *value
                                   : undefined_because(fmt::format(
                                         "parameter '{}' was not provided", parameter.name)));
  }
  if (definition.uses_caller && !own_caller) {
    const auto caller = take_named("caller");
    define(kCaller, caller ? *caller : undefined_because("No caller defined"));
  }
  if (definition.uses_kwargs) {
    auto rest = std::make_shared<Dict>(meter_, false);
    for (auto& [name, value] : args.named) rest->put(text_value(meter_, name), value);
    define(kKwargs, Value(DictPtr(std::move(rest))));
  } else if (!args.named.empty()) {
    meter_.fail(fmt::format("macro '{}' takes no keyword argument '{}'", definition.name,
                            args.named.front().first));
  }
  if (definition.uses_varargs) {
    Values rest;
    for (size_t i = parameters.size(); i < args.positional.size(); ++i) {
      rest.push_back(args.positional[i]);
    }
    define(kVarargs, make_tuple(meter_, std::move(rest)));
  } else if (args.positional.size() > parameters.size()) {
    meter_.fail(fmt::format("macro '{}' takes not more than {} argument(s)", definition.name,
                            parameters.size()));
  }
}

Value Interpreter::call_macro(const Macro& macro, Args& args) {
  if (calls_ >= meter_.limits().max_depth) {
    meter_.exhausted(fmt::format("calls nested deeper than {}", meter_.limits().max_depth));
  }
  ++calls_;
  const auto text = captured([&] {
    in_scope(macro.closure, [&] {
      bind_parameters(macro, args);
      execute(macro.definition.body);
    });
  });
  --calls_;
  return Value(text);
}

Value Interpreter::call_loop(const Loop& loop, Args& args) {
  if (loop.recursive == nullptr) {
    meter_.fail("the loop must have the 'recursive' marker to be called recursively");
  }
  const Bound bound(meter_, "loop", args, {"iterable"}, 1);
  if (calls_ >= meter_.limits().max_depth) {
    meter_.exhausted(fmt::format("calls nested deeper than {}", meter_.limits().max_depth));
  }
  ++calls_;
  const ScopePtr outer = std::exchange(scope_, loop.outer);
  const auto text = captured([&] { run_loop(*loop.recursive, bound[0], loop.depth0 + 1); });
  scope_ = outer;
  --calls_;
  return Value(text);
}

}  // namespace strata::models::jinja
