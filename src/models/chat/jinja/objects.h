// The values that have an identity: namespaces, ranges, iterators, methods, functions, macros,
// loops.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/chat/jinja/ast.h"
#include "models/chat/jinja/value.h"

namespace strata::models::jinja {

class Interpreter;

struct Args {
  Values positional;
  std::vector<std::pair<std::string, Value>> named;
};

// A filter, test, function or method of ours. `self`: the value it is applied to.
struct Builtin {
  std::string_view name;
  Value (*run)(Interpreter& in, const Value& self, Args& args);
};

// Variables of one block of the template.
struct Scope {
  std::shared_ptr<Scope> parent;
  std::vector<std::pair<uint32_t, Value>> names;
};
using ScopePtr = std::shared_ptr<Scope>;

struct Namespace : Object {  // the only thing that a template can change
  std::string_view type_name() const override { return "Namespace"; }
  void drop() override { attributes.clear(); }
  std::vector<std::pair<std::string, Value>> attributes;
};

struct Range : Object {
  std::string_view type_name() const override { return "range"; }
  Integer start = 0, stop = 0, step = 1;
  size_t count = 0;
  Integer at(size_t i) const { return start + static_cast<Integer>(i) * step; }
};

// Walks a list once: what map, select and their like give, and reversed lists.
struct Iterator : Object {
  explicit Iterator(ListPtr list) : Object(list->depth + 1), items(std::move(list)) {}
  std::string_view type_name() const override { return "generator"; }
  ListPtr items;
  size_t next = 0;
};

struct View : Object {  // of dict.keys(), .values(), .items()
  View(std::string_view type, ListPtr list)
      : Object(list->depth + 1), name(type), items(std::move(list)) {}
  std::string_view type_name() const override { return name; }
  std::string_view name;
  ListPtr items;
};

struct Method : Object {
  Method(Value object, const Builtin& function)
      : Object(object.depth() + 1), self(std::move(object)), builtin(function) {}
  std::string_view type_name() const override { return "builtin_function_or_method"; }
  Value self;
  const Builtin& builtin;
};

struct Function : Object {
  explicit Function(const Builtin& function) : builtin(function) {}
  std::string_view type_name() const override { return "function"; }
  const Builtin& builtin;
};

struct Macro : Object {
  Macro(const Stmt& statement, ScopePtr scope) : definition(statement), closure(std::move(scope)) {}
  std::string_view type_name() const override { return "Macro"; }
  void drop() override { closure.reset(); }
  const Stmt& definition;
  ScopePtr closure;
};

struct Loop : Object {
  Loop(ListPtr list, size_t level)
      : Object(list->depth + 1), items(std::move(list)), depth0(level) {}
  std::string_view type_name() const override { return "LoopContext"; }
  void drop() override {
    outer.reset();
    last_changed = Value();
  }
  ListPtr items;
  size_t depth0;
  size_t index0 = 0;
  const Stmt* recursive = nullptr;  // the loop, when it may be called
  ScopePtr outer;
  bool changed_called = false;
  Value last_changed;
};

struct Cycler : Object {
  explicit Cycler(ListPtr list) : Object(list->depth + 1), items(std::move(list)) {}
  std::string_view type_name() const override { return "Cycler"; }
  ListPtr items;
  size_t position = 0;
};

struct Joiner : Object {
  explicit Joiner(Value text) : Object(text.depth() + 1), separator(std::move(text)) {}
  std::string_view type_name() const override { return "Joiner"; }
  Value separator;
  bool used = false;
};

}  // namespace strata::models::jinja
