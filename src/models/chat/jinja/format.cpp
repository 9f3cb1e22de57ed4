// Python's two ways of formatting: "%s" % values and "{}".format(values).
#include <cmath>

#include "core/error.h"
#include "models/chat/jinja/builtins.h"
#include "models/chat/jinja/operations.h"
#include "models/chat/jinja/printing.h"
#include "models/chat/jinja/text_functions.h"

namespace strata::models::jinja {
namespace {

constexpr auto npos = std::string_view::npos;
constexpr size_t kMaxPrecision = 400;

struct Spec {
  std::string fill = " ";
  char align = '\0';  // < > ^ =
  char sign = '-';
  bool alternate = false;
  size_t width = 0;
  char grouping = '\0';
  bool has_precision = false;
  size_t precision = 0;
  char type = '\0';
};

size_t read_number(Meter& meter, std::string_view text, size_t& at, size_t limit) {
  size_t value = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    value = value * 10 + static_cast<size_t>(text[at] - '0');
    if (value > limit) meter.exhausted(fmt::format("a number over {} in a format", limit));
  }
  return value;
}

bool is_align(char c) {
  return c == '<' || c == '>' || c == '^' || c == '=';
}

Spec parse_spec(Meter& meter, std::string_view text) {
  Spec spec;
  size_t at = 0;
  const size_t first = text.empty() ? 0 : character_length(text, 0);
  if (first < text.size() && is_align(text[first])) {
    spec.fill = text.substr(0, first);
    spec.align = text[first];
    at = first + 1;
  } else if (!text.empty() && is_align(text[0])) {
    spec.align = text[0];
    at = 1;
  }
  const auto next = [&] { return at < text.size() ? text[at] : '\0'; };
  if (next() == '+' || next() == '-' || next() == ' ') spec.sign = text[at++];
  if (next() == '#') spec.alternate = ++at > 0;
  if (next() == '0') {
    if (spec.align == '\0') {
      spec.fill = "0";
      spec.align = '=';
    }
    ++at;
  }
  spec.width = read_number(meter, text, at, meter.limits().max_output_bytes);
  if (next() == ',' || next() == '_') spec.grouping = text[at++];
  if (next() == '.') {
    ++at;
    spec.has_precision = true;
    spec.precision = read_number(meter, text, at, meter.limits().max_output_bytes);
  }
  if (at < text.size()) spec.type = text[at++];
  if (at != text.size()) meter.fail("invalid format specifier");
  return spec;
}

std::string grouped(const std::string& digits, char separator) {
  if (separator == '\0') return digits;
  size_t end = 0;
  while (end < digits.size() && digits[end] >= '0' && digits[end] <= '9') ++end;
  std::string out;
  for (size_t i = 0; i < end; ++i) {
    if (i > 0 && (end - i) % 3 == 0) out += separator;
    out += digits[i];
  }
  return out + digits.substr(end);
}

std::string integer_digits(Meter& meter, Integer magnitude, char type, bool alternate) {
  const auto value = static_cast<unsigned __int128>(magnitude);
  switch (type) {
    case 'x':
      return fmt::format("{}{:x}", alternate ? "0x" : "", value);
    case 'X':
      return fmt::format("{}{:X}", alternate ? "0X" : "", value);
    case 'o':
      return fmt::format("{}{:o}", alternate ? "0o" : "", value);
    case 'b':
      return fmt::format("{}{:b}", alternate ? "0b" : "", value);
    case '\0':
    case 'd':
    case 'n':
      return fmt::format("{}", value);
    default:
      meter.fail(fmt::format("unknown format code '{}' for an integer", type));
  }
}

std::string float_digits(Meter& meter, double magnitude, const Spec& spec) {
  if (std::isnan(magnitude)) return "nan";
  if (std::isinf(magnitude)) return "inf";
  if (spec.precision > kMaxPrecision) meter.exhausted("a precision over 400 digits");
  const auto precision = static_cast<int>(spec.has_precision ? spec.precision : 6);
  meter.step(static_cast<size_t>(precision));  // the digits are exact: each takes its time
  switch (spec.type) {
    case 'f':
    case 'F':
      return fmt::format("{:.{}f}", magnitude, precision);
    case 'e':
      return fmt::format("{:.{}e}", magnitude, precision);
    case 'E':
      return fmt::format("{:.{}E}", magnitude, precision);
    case 'g':
    case 'n':
      return fmt::format("{:.{}g}", magnitude, precision == 0 ? 1 : precision);
    case 'G':
      return fmt::format("{:.{}G}", magnitude, precision == 0 ? 1 : precision);
    case '%':
      return fmt::format("{:.{}f}%", magnitude * 100, precision);
    case '\0': {
      if (!spec.has_precision) return float_text(magnitude);
      auto text = fmt::format("{:.{}g}", magnitude, precision == 0 ? 1 : precision);
      if (text.find_first_of(".e") == npos) text += ".0";
      return text;
    }
    default:
      meter.fail(fmt::format("unknown format code '{}' for a float", spec.type));
  }
}

// Sign, digits and padding of a number; `align` '=' pads between sign and digits.
void append_number(TextBuilder& out, const Spec& spec, bool negative, const std::string& digits,
                   bool outside) {
  const std::string sign = negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
  const size_t size = sign.size() + digits.size();
  const size_t missing = spec.width > size ? spec.width - size : 0;
  const char align = spec.align == '\0' ? '>' : spec.align;
  size_t left = 0;
  if (align == '>' || align == '=') left = missing;
  if (align == '^') left = missing / 2;
  if (align == '=') out.add(sign, outside);
  out.fill(left, spec.fill);
  if (align != '=') out.add(sign, outside);
  out.add(digits, outside);
  out.fill(missing - left, spec.fill);
}

void append_text_field(TextBuilder& out, Meter& meter, const TextPtr& text, const Spec& spec) {
  const auto view = text->view();
  const size_t end = spec.has_precision ? byte_offset(meter, view, spec.precision) : view.size();
  const size_t size = count_characters(meter, view.substr(0, end));
  const size_t missing = spec.width > size ? spec.width - size : 0;
  if (spec.align == '=') meter.fail("'=' alignment not allowed in string format specifier");
  size_t left = 0;
  if (spec.align == '>') left = missing;
  if (spec.align == '^') left = missing / 2;
  out.fill(left, spec.fill);
  out.add(*text, 0, end);
  out.fill(missing - left, spec.fill);
}

bool is_float_type(char type) {
  return std::string_view("eEfFgG%").find(type) != npos && type != '\0';
}

void append_with(TextBuilder& out, Meter& meter, const Value& value, const Spec& spec) {
  if (value.is_number() && !(value.is_bool() && spec.type == '\0')) {
    if (value.is_float() || is_float_type(spec.type)) {
      const double number = value.as_double();
      const auto digits = float_digits(meter, std::fabs(number), spec);
      append_number(out, spec, std::signbit(number), grouped(digits, spec.grouping),
                    value.outside());
      return;
    }
    const Integer number = value.integer();
    const auto digits =
        integer_digits(meter, number < 0 ? -number : number, spec.type, spec.alternate);
    append_number(out, spec, number < 0, grouped(digits, spec.grouping), value.outside());
    return;
  }
  if (!value.is_text() && !value.is_bool()) {
    meter.fail(fmt::format("unsupported format string passed to {}", type_name(value)));
  }
  if (spec.type != 's' && spec.type != '\0') {
    meter.fail(fmt::format("unknown format code '{}' for a string", spec.type));
  }
  append_text_field(out, meter, to_text(meter, value), spec);
}

// --- "{}".format ---

class BraceFormatter {
 public:
  BraceFormatter(Meter& meter, const TextPtr& format, const Args& args)
      : meter_(meter), format_(*format), view_(format->view()), args_(args) {}

  Value run() {
    meter_.step_characters(view_.size());
    TextBuilder out(meter_);
    size_t at = 0;
    while (at < view_.size()) {
      const size_t brace = view_.find_first_of("{}", at);
      out.add(format_, at, std::min(brace, view_.size()));
      if (brace == npos) break;
      meter_.step();
      if (brace + 1 < view_.size() && view_[brace + 1] == view_[brace]) {
        out.add(format_, brace, brace + 1);
        at = brace + 2;
        continue;
      }
      if (view_[brace] == '}') meter_.fail("single '}' encountered in format string");
      at = field(out, brace + 1);
    }
    return Value(out.finish());
  }

 private:
  // A field behind its "{"; gives the place behind its "}".
  size_t field(TextBuilder& out, size_t begin) {
    size_t nested = 1;
    size_t end = begin;
    while (end < view_.size() && nested > 0) {
      nested += view_[end] == '{' ? 1 : 0;
      nested -= view_[end] == '}' ? 1 : 0;
      ++end;
    }
    if (nested > 0) meter_.fail("expected '}' before end of string");
    const auto body = view_.substr(begin, end - 1 - begin);
    size_t name_end = body.find_first_of("!:[");
    while (name_end != npos && body[name_end] == '[') {
      const size_t close = body.find(']', name_end);
      if (close == npos) meter_.fail("expected ']' in a format field");
      name_end = body.find_first_of("!:[", close);
    }
    const Value value = look_up(body.substr(0, std::min(name_end, body.size())));
    auto rest = name_end == npos ? std::string_view() : body.substr(name_end);
    char conversion = '\0';
    if (rest.starts_with('!')) {
      conversion = rest.size() > 1 ? rest[1] : '?';
      rest.remove_prefix(std::min<size_t>(2, rest.size()));
    }
    if (!rest.empty() && rest[0] != ':') meter_.fail("expected ':' after a conversion");
    if (!rest.empty()) rest.remove_prefix(1);
    append(out, value, conversion, nested_spec(rest));
    return end;
  }

  // A spec may name further fields: "{:{}}".
  std::string nested_spec(std::string_view spec) {
    if (spec.find('{') == npos) return std::string(spec);
    TextBuilder out(meter_);  // what a field gives may be long: it counts
    size_t at = 0;
    for (size_t open = spec.find('{'); open != npos; open = spec.find('{', at)) {
      meter_.step();
      out.add(spec.substr(at, open - at));
      const size_t close = spec.find('}', open);
      if (close == npos) meter_.fail("expected '}' before end of string");
      append_text(out, meter_, look_up(spec.substr(open + 1, close - open - 1)));
      at = close + 1;
    }
    out.add(spec.substr(at));
    return out.take().text;
  }

  void append(TextBuilder& out, const Value& value, char conversion, const std::string& spec) {
    if (conversion == 'r' || conversion == 'a') {
      TextBuilder repr(meter_);
      append_repr(repr, meter_, value);
      return append_formatted(out, meter_, Value(repr.finish()), spec);
    }
    if (conversion == 's') {
      return append_formatted(out, meter_, Value(to_text(meter_, value)), spec);
    }
    if (conversion != '\0') meter_.fail("unknown conversion in a format field");
    append_formatted(out, meter_, value, spec);
  }

  Value look_up(std::string_view name) {
    const size_t end = std::min(name.find_first_of(".["), name.size());
    Value value = argument(name.substr(0, end));
    auto rest = name.substr(end);
    while (!rest.empty()) {
      if (rest[0] == '.') {
        const size_t stop = std::min(rest.find_first_of(".[", 1), rest.size());
        value = get_attribute(meter_, value, rest.substr(1, stop - 1));
        rest.remove_prefix(stop);
      } else {
        const size_t close = rest.find(']');
        if (close == npos) meter_.fail("expected ']' in a format field");
        const auto key = rest.substr(1, close - 1);
        size_t at = 0;
        const size_t index = read_number(meter_, key, at, 1u << 30);
        value = get_item(meter_, value,
                         at == key.size() && at > 0 ? int_value(index) : text_value(meter_, key));
        rest.remove_prefix(close + 1);
      }
    }
    return value;
  }

  Value argument(std::string_view name) {
    size_t at = 0;
    const size_t index = read_number(meter_, name, at, 1u << 30);
    if (name.empty() || at == name.size()) {
      const size_t i = name.empty() ? automatic_++ : index;
      if (i < args_.positional.size()) return args_.positional[i];
      meter_.fail(fmt::format("replacement index {} out of range for positional arguments", i));
    }
    meter_.step_entries(args_.named.size());
    for (const auto& [key, value] : args_.named) {
      if (key == name) return value;
    }
    meter_.fail(fmt::format("format() has no argument '{}'", name));
  }

  Meter& meter_;
  const Text& format_;
  std::string_view view_;
  const Args& args_;
  size_t automatic_ = 0;
};

// --- "%s" % ---

class PercentFormatter {
 public:
  PercentFormatter(Meter& meter, const TextPtr& format, const Value& values)
      : meter_(meter), format_(*format), view_(format->view()), values_(values) {
    several_ = values.is_list() && values.list()->is_tuple;
  }

  Value run() {
    meter_.step_characters(view_.size());
    TextBuilder out(meter_);
    size_t at = 0;
    while (at < view_.size()) {
      const size_t percent = view_.find('%', at);
      out.add(format_, at, std::min(percent, view_.size()));
      if (percent == npos) break;
      meter_.step();
      at = conversion(out, percent + 1);
    }
    if (!named_ && !values_.is_dict() && next_ < (several_ ? values_.list()->items.size() : 1)) {
      meter_.fail("not all arguments converted during string formatting");
    }
    return Value(out.finish(format_.markup()));
  }

 private:
  size_t conversion(TextBuilder& out, size_t at) {
    if (at < view_.size() && view_[at] == '(') {
      const size_t close = view_.find(')', at);
      if (close == npos) meter_.fail("incomplete format key");
      if (!values_.is_dict()) meter_.fail("format requires a mapping");
      const auto* value = values_.dict()->find(view_.substr(at + 1, close - at - 1));
      if (value == nullptr) meter_.fail("format key is not in the mapping");
      named_ = value;
      at = close + 1;
    }
    Spec spec;
    spec.align = '>';
    bool zero = false;
    for (; at < view_.size() && std::string_view("-+ #0").find(view_[at]) != npos; ++at) {
      if (view_[at] == '-') spec.align = '<';
      if (view_[at] == '+' || (view_[at] == ' ' && spec.sign != '+')) spec.sign = view_[at];
      spec.alternate |= view_[at] == '#';
      zero |= view_[at] == '0';
    }
    spec.width = measure(at);
    if (at < view_.size() && view_[at] == '.') {
      spec.has_precision = true;
      spec.precision = measure(++at);
    }
    if (at >= view_.size()) meter_.fail("incomplete format");
    spec.type = view_[at++];
    if (spec.type == '%') {
      out.add("%");
      return at;
    }
    if (zero && spec.align == '>' && spec.type != 's' && spec.type != 'r') {
      spec.fill = "0";
      spec.align = '=';
    }
    append(out, spec);
    return at;
  }

  size_t measure(size_t& at) {
    if (at < view_.size() && view_[at] == '*') {
      ++at;
      const Value value = take();
      if (!value.is_integral() || value.integer() < 0 ||
          value.integer() > static_cast<Integer>(meter_.limits().max_output_bytes)) {
        meter_.fail("* wants a small integer");
      }
      return static_cast<size_t>(value.integer());
    }
    return read_number(meter_, view_, at, meter_.limits().max_output_bytes);
  }

  Value take() {
    if (named_ != nullptr) return *named_;
    const size_t available = several_ ? values_.list()->items.size() : 1;
    if (next_ >= available) meter_.fail("not enough arguments for format string");
    const size_t i = next_++;
    return several_ ? values_.list()->items[i] : values_;
  }

  void append(TextBuilder& out, Spec spec) {
    const Value value = take();
    const auto one = std::string_view("srdiuxXoeEfFgGc").find(spec.type);
    if (one == npos) meter_.fail(fmt::format("unsupported format character '{}'", spec.type));
    if (spec.type == 'r' || spec.type == 's' || spec.type == 'c') {
      TextPtr text;
      if (spec.type == 'r') {
        TextBuilder repr(meter_);
        append_repr(repr, meter_, value);
        text = repr.finish();
      } else {
        text = to_text(meter_, value);
      }
      return append_text_field(out, meter_, text, spec);
    }
    if (value.is_undefined()) fail_undefined(meter_, value);
    if (!value.is_number()) {
      meter_.fail(
          fmt::format("%{} format: a number is required, not {}", spec.type, type_name(value)));
    }
    if (is_float_type(spec.type)) {
      return append_with(out, meter_, Value(value.as_double(), value.outside()), spec);
    }
    if (spec.type == 'i' || spec.type == 'u') spec.type = 'd';
    Value whole = value;
    if (value.is_float()) {
      if (!(std::fabs(value.floating()) < 1e30)) meter_.fail("a float too large for an integer");
      whole = Value(static_cast<Integer>(value.floating()), value.outside());
    }
    append_with(out, meter_, Value(whole.integer(), whole.outside()), spec);
  }

  Meter& meter_;
  const Text& format_;
  std::string_view view_;
  const Value& values_;
  bool several_ = false;
  size_t next_ = 0;
  const Value* named_ = nullptr;
};

}  // namespace

void append_formatted(TextBuilder& out, Meter& meter, const Value& value, std::string_view spec) {
  if (spec.empty()) return append_text(out, meter, value);
  append_with(out, meter, value, parse_spec(meter, spec));
}

Value brace_format(Meter& meter, const TextPtr& format, const Args& args) {
  return BraceFormatter(meter, format, args).run();
}

Value percent_format(Meter& meter, const TextPtr& format, const Value& values) {
  return PercentFormatter(meter, format, values).run();
}

}  // namespace strata::models::jinja
