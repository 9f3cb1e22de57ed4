// Filters that give numbers, and `default`.
#include <array>
#include <charconv>
#include <cmath>

#include "core/ascii.h"
#include "core/error.h"
#include "core/utf8.h"
#include "models/chat/jinja/builtins.h"
#include "models/chat/jinja/interpreter.h"
#include "models/chat/jinja/operations.h"
#include "models/chat/jinja/printing.h"
#include "models/chat/jinja/unicode.h"

namespace strata::models::jinja {
namespace {

std::string_view without_space(std::string_view text) {
  text.remove_prefix(leading_space(text));
  text.remove_suffix(trailing_space(text));
  return text;
}

std::string without_underscores(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool between = i > 0 && i + 1 < text.size() && text[i - 1] != '_';
    if (text[i] != '_' || !between) out += text[i];
  }
  return out;
}

// As Python's int(text, base); none: ValueError.
std::optional<Integer> read_integer(std::string_view text, Integer base) {
  auto digits = without_underscores(without_space(text));
  bool negative = false;
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) {
    negative = digits[0] == '-';
    digits.erase(0, 1);
  }
  if (digits.size() > 2 && digits[0] == '0') {
    const char c = static_cast<char>(digits[1] | 0x20);
    const Integer prefix = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 0;
    if (prefix != 0 && (base == prefix || base == 0)) {
      base = prefix;
      digits.erase(0, 2);
    }
  }
  if (base == 0) base = 10;
  if (digits.empty()) return {};
  Integer value = 0;
  for (const char c : digits) {
    const bool letter = is_ascii_letter(c);
    const int digit = letter ? (c | 0x20) - 'a' + 10 : is_ascii_digit(c) ? c - '0' : 99;
    if (digit >= base || __builtin_mul_overflow(value, base, &value) ||
        __builtin_add_overflow(value, digit, &value)) {
      return {};
    }
  }
  return negative ? -value : value;
}

std::optional<double> read_float(std::string_view text) {
  auto digits = without_underscores(without_space(text));
  if (digits.starts_with('+')) digits.erase(0, 1);
  if (digits.empty() || digits[0] == '+') return {};
  double value = 0;
  const auto* end = digits.data() + digits.size();
  const auto result = std::from_chars(digits.data(), end, value);
  if (result.ptr != end) return {};
  if (result.ec == std::errc::result_out_of_range) return std::strtod(digits.c_str(), nullptr);
  if (result.ec != std::errc()) return {};
  return value;
}

Value truncated(Meter& meter, double value, bool outside) {
  if (!std::isfinite(value)) meter.fail("cannot convert float infinity or NaN to integer");
  if (std::fabs(value) > 1e38) meter.exhausted("an integer of more than 127 bits");
  return Value(static_cast<Integer>(value), outside);
}

Value to_int(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "int", args, {"default", "base"});
  const Value fallback = bound.value(0, Value(Integer{0}));
  if (self.is_undefined()) fail_undefined(meter, self);
  if (self.is_integral()) return Value(self.integer(), self.outside());
  if (self.is_float()) {
    if (std::isnan(self.floating())) return fallback;
    return truncated(meter, self.floating(), self.outside());
  }
  if (!self.is_text()) return fallback;
  meter.step_mapped(self.view().size());
  const bool outside = self.text()->outside();
  const Integer base = bound.integer(1, 10);
  if (base != 0 && (base < 2 || base > 36)) return fallback;
  if (const auto value = read_integer(self.view(), base)) return Value(*value, outside);
  const auto value = read_float(self.view());
  if (!value || !std::isfinite(*value)) return fallback;
  return truncated(meter, *value, outside);
}

Value to_float(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "float", args, {"default"});
  if (self.is_undefined()) fail_undefined(meter, self);
  if (self.is_number()) return Value(self.as_double(), self.outside());
  if (self.is_text()) {
    meter.step_mapped(self.view().size());
    if (const auto value = read_float(self.view())) return Value(*value, self.text()->outside());
  }
  return bound.value(0, Value(0.0));
}

Value absolute(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "abs", args, {});
  if (self.is_undefined()) fail_undefined(meter, self);
  if (!self.is_number())
    meter.fail(fmt::format("bad operand type for abs(): '{}'", type_name(self)));
  if (self.is_float()) return Value(std::fabs(self.floating()), self.outside());
  return negated(meter, self, self.integer() < 0);
}

// Rounds half to even on the exact value, as Python does.
double rounded(double value, int digits) {
  if (!std::isfinite(value) || digits > 300) return value;
  if (digits < 0) {
    const double scale = std::pow(10.0, -digits);
    return std::isinf(scale) ? 0.0 : std::nearbyint(value / scale) * scale;
  }
  const auto text = fmt::format("{:.{}f}", value, digits);
  double result = 0;
  std::from_chars(text.data(), text.data() + text.size(), result);
  return result;
}

Value rounded_integer(Meter& meter, const Value& self, Integer digits) {
  if (digits >= 0) return Value(self.integer(), self.outside());
  if (digits < -37) return Value(Integer{0}, self.outside());
  Integer unit = 1;
  for (; digits < 0; ++digits) unit *= 10;
  const Integer value = self.integer();
  Integer down = value / unit;
  Integer rest = value % unit;
  if (rest < 0) {
    rest += unit;
    --down;
  }
  const bool up = rest > unit - rest || (rest == unit - rest && down % 2 != 0);
  Integer result = 0;
  if (__builtin_mul_overflow(down + (up ? 1 : 0), unit, &result)) {
    meter.exhausted("an integer of more than 127 bits");
  }
  return Value(result, self.outside());
}

Value round(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "round", args, {"precision", "method"});
  if (self.is_undefined()) fail_undefined(meter, self);
  if (!self.is_number()) meter.fail(fmt::format("round of a '{}'", type_name(self)));
  const Integer precision = bound.integer(0, 0);
  const auto method = bound.has(1) ? std::string(bound.text(1)->view()) : std::string("common");
  if (method != "common" && method != "ceil" && method != "floor") {
    meter.fail("method must be common, ceil or floor");
  }
  if (precision > 300 || precision < -300) meter.fail("precision must be within -300 and 300");
  const int digits = static_cast<int>(precision);
  if (method == "common") {
    if (self.is_integral()) return rounded_integer(meter, self, precision);
    if (digits > 0) meter.step(static_cast<size_t>(digits));  // exact digits: each takes its time
    return Value(rounded(self.floating(), digits), self.outside());
  }
  const double scale = std::pow(10.0, digits);
  const double scaled = self.as_double() * scale;
  return Value((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale, self.outside());
}

Value length(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "length", args, {});
  const auto size = length_of(in.meter(), self);
  if (!size) in.meter().fail(fmt::format("object of type '{}' has no len()", type_name(self)));
  return int_value(*size);
}

Value word_count(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "wordcount", args, {});
  const auto text = to_text(meter, self);
  meter.step_mapped(text->size());
  size_t words = 0;
  bool inside = false;
  for (size_t at = 0; at < text->size();) {
    const bool word = is_word(next_code_point(text->view(), at));
    words += word && !inside ? 1 : 0;
    inside = word;
  }
  return int_value(words);
}

Value fallback_value(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "default", args, {"default_value", "boolean"});
  if (!self.is_undefined() && (!bound.flag(1, false) || truthy(self))) return self;
  return bound.has(0) ? bound[0] : text_value(in.meter(), "");
}

Value sum(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "sum", args, {"attribute", "start"});
  Value total = bound.value(1, Value(Integer{0}));
  if (total.is_text()) meter.fail("sum() can't sum strings");
  const auto items = iterate(meter, self);
  for (const auto& item : items->items) {
    meter.step();
    total = arithmetic(meter, Op::add, total,
                       bound.none_or_absent(0) ? item : get_by_path(meter, item, bound[0]));
  }
  return total;
}

constexpr auto kFilters = std::to_array<Builtin>({
    {"int", to_int},
    {"float", to_float},
    {"abs", absolute},
    {"round", round},
    {"length", length},
    {"count", length},
    {"wordcount", word_count},
    {"default", fallback_value},
    {"d", fallback_value},
    {"sum", sum},
});

}  // namespace

Builtins number_filters() {
  return kFilters;
}

}  // namespace strata::models::jinja
