// What stands behind `is`.
#include <array>

#include "core/error.h"
#include "models/chat/jinja/builtins.h"
#include "models/chat/jinja/interpreter.h"
#include "models/chat/jinja/operations.h"
#include "models/chat/jinja/printing.h"
#include "models/chat/jinja/text_functions.h"

namespace strata::models::jinja {
namespace {

void no_arguments(Interpreter& in, const Args& args) {
  if (!args.positional.empty() || !args.named.empty())
    in.meter().fail("this test takes no argument");
}

template <bool (*question)(const Value&)>
Value ask(Interpreter& in, const Value& self, Args& args) {
  no_arguments(in, args);
  return Value(question(self));
}

bool is_defined(const Value& v) {
  return !v.is_undefined();
}
bool is_undefined(const Value& v) {
  return v.is_undefined();
}
bool is_none(const Value& v) {
  return v.is_none();
}
bool is_boolean(const Value& v) {
  return v.is_bool();
}
bool is_false(const Value& v) {
  return v.is_bool() && !v.boolean();
}
bool is_true(const Value& v) {
  return v.is_bool() && v.boolean();
}
bool is_integer(const Value& v) {
  return v.is_int();
}
bool is_float(const Value& v) {
  return v.is_float();
}
bool is_string(const Value& v) {
  return v.is_text();
}
bool is_mapping(const Value& v) {
  return v.is_dict();
}
bool is_number(const Value& v) {
  return v.is_number();
}
bool is_sequence(const Value& v) {
  return v.is_undefined() || v.is_text() || v.is_list() || v.is_dict() || v.as<Range>() != nullptr;
}
bool is_iterable_value(const Value& v) {
  return is_iterable(v);
}
bool is_escaped(const Value& v) {
  return v.is_text() && v.text()->markup();
}
bool is_callable(const Value& v) {
  return v.as<Macro>() != nullptr || v.as<Function>() != nullptr || v.as<Method>() != nullptr ||
         v.as<Loop>() != nullptr || v.as<Joiner>() != nullptr || v.is_undefined();
}

template <bool (*question)(std::string_view)>
Value ask_text(Interpreter& in, const Value& self, Args& args) {
  no_arguments(in, args);
  const auto text = to_text(in.meter(), self);
  in.meter().step_mapped(text->size());
  return Value(question(text->view()));
}

Value remainder_is(Interpreter& in, const Value& self, const Value& divisor, Integer wanted) {
  const Value rest = arithmetic(in.meter(), Op::modulo, self, divisor);
  return Value(equals(in.meter(), rest, Value(wanted)));
}

Value odd(Interpreter& in, const Value& self, Args& args) {
  no_arguments(in, args);
  return remainder_is(in, self, Value(Integer{2}), 1);
}

Value even(Interpreter& in, const Value& self, Args& args) {
  no_arguments(in, args);
  return remainder_is(in, self, Value(Integer{2}), 0);
}

Value divisible_by(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "divisibleby", args, {"num"}, 1);
  return remainder_is(in, self, bound[0], 0);
}

Value is_filter(Interpreter& in, const Value& self, Args& args) {
  no_arguments(in, args);
  if (self.is_text()) in.meter().step_bytes(self.view().size());
  return Value(self.is_text() && find_filter(self.view()) != nullptr);
}

Value is_test(Interpreter& in, const Value& self, Args& args) {
  no_arguments(in, args);
  if (self.is_text()) in.meter().step_bytes(self.view().size());
  return Value(self.is_text() && find_test(self.view()) != nullptr);
}

Value same_as(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "sameas", args, {"other"}, 1);
  if (self.is_text() && bound[0].is_text()) return Value(equals(in.meter(), self, bound[0]));
  return Value(same(self, bound[0]));
}

template <Comparison kind>
Value compare(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "the test", args, {"other"}, 1);
  return Value(compares(in.meter(), kind, self, bound[0]));
}

constexpr auto kTests = std::to_array<Builtin>({
    {"defined", ask<is_defined>},
    {"undefined", ask<is_undefined>},
    {"none", ask<is_none>},
    {"boolean", ask<is_boolean>},
    {"false", ask<is_false>},
    {"true", ask<is_true>},
    {"integer", ask<is_integer>},
    {"float", ask<is_float>},
    {"string", ask<is_string>},
    {"mapping", ask<is_mapping>},
    {"number", ask<is_number>},
    {"sequence", ask<is_sequence>},
    {"iterable", ask<is_iterable_value>},
    {"escaped", ask<is_escaped>},
    {"callable", ask<is_callable>},
    {"lower", ask_text<all_lower>},
    {"upper", ask_text<all_upper>},
    {"odd", odd},
    {"even", even},
    {"divisibleby", divisible_by},
    {"filter", is_filter},
    {"test", is_test},
    {"sameas", same_as},
    {"in", compare<Comparison::in>},
    {"==", compare<Comparison::eq>},
    {"eq", compare<Comparison::eq>},
    {"equalto", compare<Comparison::eq>},
    {"!=", compare<Comparison::ne>},
    {"ne", compare<Comparison::ne>},
    {">", compare<Comparison::gt>},
    {"gt", compare<Comparison::gt>},
    {"greaterthan", compare<Comparison::gt>},
    {">=", compare<Comparison::ge>},
    {"ge", compare<Comparison::ge>},
    {"<", compare<Comparison::lt>},
    {"lt", compare<Comparison::lt>},
    {"lessthan", compare<Comparison::lt>},
    {"<=", compare<Comparison::le>},
    {"le", compare<Comparison::le>},
});

}  // namespace

Builtins tests_of_kind() {
  return kTests;
}

}  // namespace strata::models::jinja
