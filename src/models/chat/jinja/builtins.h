// The tables of filters, tests, functions and methods, and how they read their arguments. One
// entry is one function; each file of entries exports one table.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "models/chat/jinja/objects.h"

namespace strata::models::jinja {

using Builtins = std::span<const Builtin>;

Builtins text_filters();
Builtins list_filters();
Builtins number_filters();
Builtins tests_of_kind();
Builtins global_functions();
Builtins text_methods();
Builtins list_methods();
Builtins dict_methods();
Builtins loop_methods();
Builtins cycler_methods();
Builtins float_methods();

// Null: there is none of this name.
const Builtin* find_filter(std::string_view name);
const Builtin* find_test(std::string_view name);

// As "a.b.0" names it; `fallback` stands for what is undefined on the way, null: nothing does.
Value get_by_path(Meter& meter, const Value& item, const Value& path,
                  const Value* fallback = nullptr);
ListPtr dict_pairs(Meter& meter, const Dict& dict);  // a list of (key, value)

std::string to_text_key(Meter& meter, const Value& key);  // a subscript, for messages

// The arguments of a call by position or by name, as the function declares them.
class Bound {
 public:
  // Fails when there are fewer than `required`, too many, or one of an unknown name.
  Bound(Meter& meter, std::string_view function, const Args& args,
        std::initializer_list<std::string_view> names, size_t required = 0);

  bool has(size_t i) const { return values_[i] != nullptr; }
  const Value& operator[](size_t i) const { return *values_[i]; }
  Value value(size_t i, Value fallback) const { return has(i) ? *values_[i] : fallback; }
  bool flag(size_t i, bool fallback) const;
  Integer integer(size_t i, Integer fallback) const;  // fails on what is no integer
  // An integer from 0 to `limit`; fails otherwise.
  size_t count(size_t i, size_t fallback, size_t limit) const;
  TextPtr text(size_t i) const;  // precondition: has(i); fails on what is no text
  bool none_or_absent(size_t i) const { return !has(i) || values_[i]->is_none(); }

 private:
  Meter& meter_;
  std::string_view function_;
  std::vector<std::string_view> names_;
  std::vector<const Value*> values_;
};

}  // namespace strata::models::jinja
