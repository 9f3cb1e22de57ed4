#include "models/chat/jinja/operations.h"

#include <cmath>

#include "core/error.h"
#include "models/chat/jinja/objects.h"
#include "models/chat/jinja/printing.h"

namespace strata::models::jinja {
namespace {

bool equal_lists(Meter& meter, const List& left, const List& right) {
  if (left.is_tuple != right.is_tuple || left.items.size() != right.items.size()) return false;
  for (size_t i = 0; i < left.items.size(); ++i) {
    if (!equals(meter, left.items[i], right.items[i])) return false;
  }
  return true;
}

bool equal_dicts(Meter& meter, const Dict& left, const Dict& right) {
  if (left.size() != right.size()) return false;
  for (const auto& [key, value] : left.items()) {
    meter.step(1 + right.size() / 16);
    const auto* other = right.find(key);
    if (other == nullptr || !equals(meter, value, *other)) return false;
  }
  return true;
}

[[noreturn]] void no_operator(Meter& meter, std::string_view sign, const Value& left,
                              const Value& right) {
  if (left.is_undefined()) fail_undefined(meter, left);
  if (right.is_undefined()) fail_undefined(meter, right);
  meter.fail(fmt::format("unsupported operand types for {}: '{}' and '{}'", sign, type_name(left),
                         type_name(right)));
}

[[noreturn]] void too_large(Meter& meter) {
  meter.exhausted("an integer of more than 127 bits");
}

Value floor_divide(Meter& meter, const Value& left, const Value& right, bool modulo) {
  const bool outside = left.outside() || right.outside();
  if (left.is_float() || right.is_float()) {
    const double a = left.as_double();
    const double b = right.as_double();
    if (b == 0) meter.fail("float division by zero");
    double rest = std::fmod(a, b);
    if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
    if (modulo) return Value(rest == 0 ? std::copysign(0.0, b) : rest, outside);
    const double quotient = (a - rest) / b;
    const double whole = std::floor(quotient);
    return Value(quotient - whole > 0.5 ? whole + 1 : whole, outside);
  }
  const Integer a = left.integer();
  const Integer b = right.integer();
  if (b == 0) meter.fail("integer division or modulo by zero");
  if (b == -1) {
    Integer quotient = 0;
    if (__builtin_sub_overflow(Integer{0}, a, &quotient)) too_large(meter);
    return Value(modulo ? Integer{0} : quotient, outside);
  }
  Integer quotient = a / b;
  Integer rest = a % b;
  if (rest != 0 && (rest < 0) != (b < 0)) {
    rest += b;
    --quotient;
  }
  return Value(modulo ? rest : quotient, outside);
}

Value power(Meter& meter, const Value& left, const Value& right) {
  const bool outside = left.outside() || right.outside();
  if (left.is_float() || right.is_float() || right.integer() < 0) {
    const double base = left.as_double();
    const double exponent = right.as_double();
    if (base == 0 && exponent < 0) meter.fail("0.0 cannot be raised to a negative power");
    const double result = std::pow(base, exponent);
    if (std::isnan(result) && !std::isnan(base) && !std::isnan(exponent)) {
      meter.fail("complex numbers are not supported");
    }
    if (std::isinf(result) && std::isfinite(base) && std::isfinite(exponent)) {
      meter.fail("numerical result out of range");
    }
    return Value(result, outside);
  }
  Integer base = left.integer();
  Integer exponent = right.integer();
  Integer result = 1;
  if (base == 0 || base == 1) return Value(exponent == 0 ? Integer{1} : base, outside);
  if (base == -1) return Value(exponent % 2 == 0 ? Integer{1} : Integer{-1}, outside);
  if (exponent > 127) too_large(meter);
  for (; exponent > 0; --exponent) {
    if (__builtin_mul_overflow(result, base, &result)) too_large(meter);
  }
  return Value(result, outside);
}

Value numbers(Meter& meter, Op op, const Value& left, const Value& right) {
  const bool outside = left.outside() || right.outside();
  if (op == Op::floor_divide || op == Op::modulo) {
    return floor_divide(meter, left, right, op == Op::modulo);
  }
  if (op == Op::power) return power(meter, left, right);
  if (op == Op::divide) {
    if (right.as_double() == 0) meter.fail("division by zero");
    return Value(left.as_double() / right.as_double(), outside);
  }
  if (left.is_float() || right.is_float()) {
    const double a = left.as_double();
    const double b = right.as_double();
    return Value(op == Op::add ? a + b : op == Op::subtract ? a - b : a * b, outside);
  }
  const Integer a = left.integer();
  const Integer b = right.integer();
  Integer result = 0;
  const bool overflow = op == Op::add        ? __builtin_add_overflow(a, b, &result)
                        : op == Op::subtract ? __builtin_sub_overflow(a, b, &result)
                                             : __builtin_mul_overflow(a, b, &result);
  if (overflow) too_large(meter);
  return Value(result, outside);
}

Value joined_texts(Meter& meter, const Value& left, const Value& right) {
  const bool markup = left.text()->markup() || right.text()->markup();
  TextBuilder out(meter);
  for (const auto* side : {&left, &right}) {
    const Value escaped = markup ? markup_safe(meter, *side) : *side;
    out.add(*escaped.text());
  }
  return Value(out.finish(markup));
}

Value joined_lists(Meter& meter, const List& left, const List& right) {
  Values items;
  const size_t count = left.items.size() + right.items.size();
  meter.step(count / 8);
  items.reserve(count);
  items.insert(items.end(), left.items.begin(), left.items.end());
  items.insert(items.end(), right.items.begin(), right.items.end());
  return make_list(meter, std::move(items), left.is_tuple, left.outside || right.outside);
}

Value repeated(Meter& meter, const Value& value, Integer times) {
  const size_t size = value.is_text() ? value.view().size() : value.list()->items.size();
  if (times < 0 || size == 0) times = 0;
  const size_t limit = value.is_text() ? meter.limits().max_output_bytes
                                       : meter.limits().max_memory_bytes / sizeof(Value);
  if (times > 0 && static_cast<Integer>(size) * 1 > static_cast<Integer>(limit) / times) {
    meter.exhausted(fmt::format("{} items repeated {} times, the limit is {}", size, times, limit));
  }
  const auto count = static_cast<size_t>(times);
  if (value.is_text()) {
    TextBuilder out(meter);
    out.add_times(*value.text(), count);
    return Value(out.finish(value.text()->markup()));
  }
  Values items;
  meter.step(size * count / 8);
  meter.hold(size * count * sizeof(Value));
  meter.release(size * count * sizeof(Value));
  items.reserve(size * count);
  const auto& once = value.list()->items;
  for (size_t i = 0; i < count; ++i) items.insert(items.end(), once.begin(), once.end());
  return make_list(meter, std::move(items), value.list()->is_tuple, value.list()->outside);
}

std::string_view sign_of(Op op) {
  switch (op) {
    case Op::add:
      return "+";
    case Op::subtract:
      return "-";
    case Op::multiply:
      return "*";
    case Op::divide:
      return "/";
    case Op::floor_divide:
      return "//";
    case Op::modulo:
      return "%";
    default:
      return "**";
  }
}

Values characters(Meter& meter, const Text& text) {
  Values items;
  const auto view = text.view();
  for (size_t at = 0; at < view.size();) {
    meter.step();
    const size_t next = at + character_length(view, at);
    items.push_back(text_value(meter, view.substr(at, next - at), text.outside_at(at)));
    at = next;
  }
  return items;
}

ListPtr iterate_object(Meter& meter, const Value& value) {
  if (const auto* view = value.as<View>()) return view->items;
  if (auto* iterator = value.as<Iterator>()) {
    const size_t from = std::exchange(iterator->next, iterator->items->items.size());
    if (from == 0) return iterator->items;
    const auto& all = iterator->items->items;
    Values rest(all.begin() + static_cast<std::ptrdiff_t>(from), all.end());
    return make_list(meter, std::move(rest), false, iterator->items->outside).list();
  }
  if (const auto* range = value.as<Range>()) {
    Values items;
    meter.step(range->count);
    for (size_t i = 0; i < range->count; ++i) items.emplace_back(range->at(i));
    return make_list(meter, std::move(items)).list();
  }
  if (const auto* loop = value.as<Loop>()) return loop->items;
  meter.fail(fmt::format("'{}' object is not iterable", type_name(value)));
}

// Of what has its items at hand; none: a text, or it has no length.
std::optional<size_t> size_of(const Value& value) {
  if (value.is_undefined()) return 0;
  if (value.is_list()) return value.list()->items.size();
  if (value.is_dict()) return value.dict()->size();
  if (const auto* range = value.as<Range>()) return range->count;
  if (const auto* view = value.as<View>()) return view->items->items.size();
  if (const auto* loop = value.as<Loop>()) return loop->items->items.size();
  return {};
}

}  // namespace

bool truthy(const Value& value) {
  if (value.is_undefined() || value.is_none()) return false;
  if (value.is_bool()) return value.boolean();
  if (value.is_int()) return value.integer() != 0;
  if (value.is_float()) return value.floating() != 0;
  if (value.is_text()) return !value.text()->empty();  // its characters need not be counted
  return size_of(value).value_or(1) != 0;
}

bool equals(Meter& meter, const Value& left, const Value& right) {
  meter.step();
  if (left.is_text() && right.is_text()) {
    if (left.view().size() != right.view().size()) return false;
    meter.step_bytes(left.view().size());
    return left.view() == right.view();
  }
  if (left.is_number() && right.is_number()) {
    if (left.is_float() || right.is_float()) return left.as_double() == right.as_double();
    return left.integer() == right.integer();
  }
  if (left.is_list() && right.is_list()) return equal_lists(meter, *left.list(), *right.list());
  if (left.is_dict() && right.is_dict()) return equal_dicts(meter, *left.dict(), *right.dict());
  const auto* a = left.as<Range>();
  const auto* b = right.as<Range>();
  if (a != nullptr && b != nullptr) {
    return a->count == b->count && (a->count == 0 || a->start == b->start) &&
           (a->count < 2 || a->step == b->step);
  }
  return same(left, right);
}

bool same(const Value& left, const Value& right) {
  if (left.is_object() && right.is_object()) return left.object() == right.object();
  if (left.is_list() && right.is_list()) return left.list() == right.list();
  if (left.is_dict() && right.is_dict()) return left.dict() == right.dict();
  if (left.is_text() && right.is_text()) return left.view() == right.view();
  if (left.is_bool() && right.is_bool()) return left.boolean() == right.boolean();
  if (left.is_int() && right.is_int()) return left.integer() == right.integer();
  if (left.is_float() && right.is_float()) return left.floating() == right.floating();
  return (left.is_none() && right.is_none()) || (left.is_undefined() && right.is_undefined());
}

bool less(Meter& meter, const Value& left, const Value& right) {
  meter.step();
  if (left.is_number() && right.is_number()) {
    if (left.is_float() || right.is_float()) return left.as_double() < right.as_double();
    return left.integer() < right.integer();
  }
  if (left.is_text() && right.is_text()) {
    meter.step_bytes(std::min(left.view().size(), right.view().size()));
    return left.view() < right.view();  // bytes of UTF-8 sort as code points do
  }
  if (left.is_list() && right.is_list() && left.list()->is_tuple == right.list()->is_tuple) {
    const auto& a = left.list()->items;
    const auto& b = right.list()->items;
    for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
      if (!equals(meter, a[i], b[i])) return less(meter, a[i], b[i]);
    }
    return a.size() < b.size();
  }
  no_operator(meter, "<", left, right);
}

bool contains(Meter& meter, const Value& container, const Value& item) {
  if (container.is_text()) {
    if (!item.is_text()) {
      if (item.is_undefined()) fail_undefined(meter, item);
      meter.fail(
          fmt::format("'in <string>' requires string as left operand, not {}", type_name(item)));
    }
    return find_bytes(meter, container.view(), item.view()) != std::string_view::npos;
  }
  if (container.is_dict()) {
    meter.step(1 + container.dict()->size() / 16);
    return container.dict()->find(item) != nullptr;
  }
  if (auto* range = container.as<Range>(); range != nullptr && item.is_integral()) {
    const Integer distance = item.integer() - range->start;
    return distance % range->step == 0 && distance / range->step >= 0 &&
           distance / range->step < static_cast<Integer>(range->count);
  }
  if (container.is_number() || container.is_none()) {
    meter.fail(fmt::format("argument of type '{}' is not iterable", type_name(container)));
  }
  const auto candidates = iterate(meter, container);
  for (const auto& candidate : candidates->items) {
    if (equals(meter, candidate, item)) return true;
  }
  return false;
}

bool compares(Meter& meter, Comparison kind, const Value& left, const Value& right) {
  switch (kind) {
    case Comparison::eq:
      return equals(meter, left, right);
    case Comparison::ne:
      return !equals(meter, left, right);
    case Comparison::in:
      return contains(meter, right, left);
    case Comparison::not_in:
      return !contains(meter, right, left);
    case Comparison::lt:
      return less(meter, left, right);
    case Comparison::gt:
      return less(meter, right, left);
    case Comparison::le:
      return less(meter, left, right) || equals(meter, left, right);
    case Comparison::ge:
      return less(meter, right, left) || equals(meter, left, right);
  }
  return false;
}

Value arithmetic(Meter& meter, Op op, const Value& left, const Value& right) {
  if (op == Op::modulo && left.is_text()) return percent_format(meter, left.text(), right);
  if (left.is_number() && right.is_number()) return numbers(meter, op, left, right);
  if (op == Op::add && left.is_text() && right.is_text()) return joined_texts(meter, left, right);
  if (op == Op::add && left.is_list() && right.is_list() &&
      left.list()->is_tuple == right.list()->is_tuple) {
    return joined_lists(meter, *left.list(), *right.list());
  }
  if (op == Op::multiply && (left.is_text() || left.is_list()) && right.is_integral()) {
    return repeated(meter, left, right.integer());
  }
  if (op == Op::multiply && (right.is_text() || right.is_list()) && left.is_integral()) {
    return repeated(meter, right, left.integer());
  }
  no_operator(meter, sign_of(op), left, right);
}

Value negated(Meter& meter, const Value& value, bool negative) {
  if (value.is_undefined()) fail_undefined(meter, value);
  if (!value.is_number()) {
    meter.fail(
        fmt::format("bad operand type for unary {}: '{}'", negative ? "-" : "+", type_name(value)));
  }
  if (value.is_float()) {
    return Value(negative ? -value.floating() : value.floating(), value.outside());
  }
  Integer result = value.integer();
  if (negative && __builtin_sub_overflow(Integer{0}, value.integer(), &result)) too_large(meter);
  return Value(result, value.outside());
}

std::optional<size_t> length_of(Meter& meter, const Value& value) {
  if (value.is_text()) return count_characters(meter, value.view());
  return size_of(value);
}

bool is_iterable(const Value& value) {
  return value.is_text() || size_of(value).has_value() || value.as<Iterator>() != nullptr;
}

ListPtr iterate(Meter& meter, const Value& value) {
  if (value.is_list()) return value.list();
  if (value.is_undefined()) return make_list(meter, {}).list();
  if (value.is_text()) return make_list(meter, characters(meter, *value.text())).list();
  if (value.is_dict()) {
    Values keys;
    for (const auto& item : value.dict()->items()) keys.push_back(item.first);
    return make_list(meter, std::move(keys), false, value.dict()->outside).list();
  }
  if (value.is_object()) return iterate_object(meter, value);
  meter.fail(fmt::format("'{}' object is not iterable", type_name(value)));
}

}  // namespace strata::models::jinja
