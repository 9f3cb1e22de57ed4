#include "inference/constraint/json_text.h"

#include <algorithm>
#include <cmath>

#include "inference/constraint/ebnf.h"
#include "inference/constraint/limits.h"
#include "inference/constraint/regex.h"

namespace strata::inference {
namespace {

constexpr ExprId kNothing = Expressions::kNothing;
constexpr ExprId kEmpty = Expressions::kEmpty;
constexpr int32_t kMostIndent = 32;

}  // namespace

std::string Decimal::text() const {
  return (negative ? "-" : "") + whole + (fraction.empty() ? "" : '.' + fraction);
}

Decimal exact_decimal(const json::value& number) {
  std::string text;
  if (number.is_int64()) {
    text = std::to_string(number.get_int64());
  } else if (number.is_uint64()) {
    text = std::to_string(number.get_uint64());
  } else {
    text = json_number(number.to_number<double>());
  }
  Decimal d;
  if (text.starts_with('-')) {
    d.negative = true;
    text.erase(0, 1);
  }
  int exponent = 0;
  if (const size_t e = text.find('e'); e != std::string::npos) {
    exponent = std::stoi(text.substr(e + 1));
    text.resize(e);
  }
  size_t point = text.find('.');
  if (point == std::string::npos) point = text.size();
  std::string all = text.substr(0, point) + (point < text.size() ? text.substr(point + 1) : "");
  int64_t whole = static_cast<int64_t>(point) + exponent;
  while (whole <= 0) {
    all.insert(0, 1, '0');
    ++whole;
  }
  while (whole > static_cast<int64_t>(all.size())) all.push_back('0');
  d.whole = all.substr(0, static_cast<size_t>(whole));
  d.fraction = all.substr(static_cast<size_t>(whole));
  d.whole.erase(0, std::min(d.whole.find_first_not_of('0'), d.whole.size() - 1));
  while (d.fraction.ends_with('0')) d.fraction.pop_back();
  if (d.whole == "0" && d.fraction.empty()) d.negative = false;
  return d;
}

std::optional<Decimal> decimal_of(const json::value& number) {
  Decimal d = exact_decimal(number);
  if (d.whole.size() > kMostDigits || d.fraction.size() > kMostDigits) return std::nullopt;
  return d;
}

JsonText::JsonText(Expressions& x, ValueStyle style) : x_(x), style_(std::move(style)) {
  const ExprId blank = x_.bytes(ByteSet::of(' ', ' ') | ByteSet::of('\t', '\t'));
  space_ = x_.optional(
      x_.any_of({byte(' '), x_.sequence(byte('\n'), x_.repeat(blank, 0, kMostIndent))}));
  comma_ = x_.block(x_.sequence({space_, byte(','), space_}));
  colon_ = x_.block(x_.sequence({space_, byte(':'), space_}));
  build_strings();
  build_numbers();
  build_values();
}

ExprId JsonText::byte(char c) {
  return x_.bytes(ByteSet::of(static_cast<uint8_t>(c), static_cast<uint8_t>(c)));
}

ExprId JsonText::digits(int32_t least, int32_t most) {
  return x_.repeat(x_.bytes(ByteSet::of('0', '9')), least, most);
}

void JsonText::build_strings() {
  const bool json = style_.kind == ValueStyle::Kind::json;
  const bool plain = style_.kind == ValueStyle::Kind::marked;
  const auto quote = static_cast<unsigned char>(style_.quote.front());
  const CodePoints unescaped = CodePoints{{0, 0x1F}, {quote, quote}, {'\\', '\\'}}.inverted();
  // A \u that is no half of a pair, or, in JSON, both halves.
  constexpr const char* kPython =
      R"(\\(["'\\bfnrt]|u([0-9a-cA-CefEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2})))";
  constexpr const char* kJson =
      R"(\\(["\\/bfnrt]|u([0-9a-cA-CefEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2}|)"
      R"([dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})))";
  quote_ = plain ? marker_text(x_, style_.quote) : x_.text(style_.quote);
  if (plain) {
    const ExprId anything = x_.repeat(x_.bytes(ByteSet::of(0, 255)), 0, -1);
    no_quote_ = x_.none_of(x_.sequence({anything, x_.text(style_.quote), anything}));
  }
  plain_content_ = any_text(x_, style_.spelling());
  character_ = plain ? one_of(x_, CodePoints{{0, 0x10FFFF}}, Spelling::plain)
                     : x_.any_of({one_of(x_, unescaped, Spelling::plain),
                                  parse_regex(x_, json ? kJson : kPython)});
  any_string_ = string_of_length(0, -1);
  bare_name_ = parse_regex(x_, "[A-Za-z0-9_][A-Za-z0-9_./-]{0,63}");
  if (!json) return;
  x_.string_tails = {x_.block(x_.sequence(x_.repeat(character_, 0, -1), quote_)),
                     x_.block(x_.sequence(plain_content_, quote_))};
}

MemberMarks JsonText::call_marks() const {
  return {.open = "(", .close = ")", .colon = x_.text("="), .bare_names = true};
}

ExprId JsonText::quoted(ExprId content) {
  if (no_quote_ >= 0) content = x_.all_of({content, no_quote_});
  return x_.sequence({quote_, content, quote_});
}

ExprId JsonText::string_of_length(int32_t least, int32_t most) {
  return x_.block(quoted(x_.repeat(character_, least, most)));
}

ExprId JsonText::name(std::string_view name, bool bare) {
  if (!bare) return exactly(json::value(name));
  return x_.matches(bare_name_, name) ? x_.text(name) : kNothing;
}

void JsonText::build_numbers() {
  whole_ = x_.any_of(
      {byte('0'), x_.sequence(x_.bytes(ByteSet::of('1', '9')), digits(0, kMostDigits - 1))});
  fraction_ = x_.optional(x_.sequence(byte('.'), digits(1, kMostDigits)));
  const ExprId sign = x_.optional(byte('-'));
  const ExprId exponent_sign = x_.optional(x_.any_of({byte('-'), byte('+')}));
  const ExprId exponent =
      x_.optional(x_.sequence({x_.any_of({byte('e'), byte('E')}), exponent_sign, digits(1, 2)}));
  any_integer_ = x_.sequence(sign, whole_);
  any_number_ = x_.sequence({sign, whole_, fraction_, exponent});
}

// What stands behind the point (and the point), beside that of a bound that is equal before it.
ExprId JsonText::compare_fraction(const std::string& fraction, bool exclusive, bool greater) {
  const ExprId any = digits(0, kMostDigits);
  const ExprId zeros = x_.repeat(byte('0'), 0, kMostDigits);
  std::vector<ExprId> parts;  // behind the point
  ExprId begin = kEmpty;
  for (const char digit : fraction) {
    if (greater && digit < '9') {
      const auto above = ByteSet::of(static_cast<uint8_t>(digit + 1), '9');
      parts.push_back(x_.sequence({begin, x_.bytes(above), any}));
    }
    if (!greater && digit > '0') {
      const auto below = ByteSet::of('0', static_cast<uint8_t>(digit - 1));
      parts.push_back(x_.sequence({begin, x_.bytes(below), any}));
    }
    begin = x_.sequence(begin, byte(digit));
    if (!greater && begin != x_.text(fraction)) parts.push_back(begin);
  }
  const ExprId more = x_.sequence({zeros, x_.bytes(ByteSet::of('1', '9')), any});
  if (greater) parts.push_back(x_.sequence(begin, exclusive ? more : any));
  if (!greater && !exclusive) parts.push_back(x_.sequence(begin, zeros));
  // At least one digit follows a point.
  const ExprId some = x_.all_of({x_.any_of(parts), digits(1, kMostDigits)});
  const bool none = fraction.empty() ? !exclusive : !greater;
  return x_.any_of({x_.sequence(byte('.'), some), none ? kEmpty : kNothing});
}

ExprId JsonText::compare_whole(const Decimal& bound, bool exclusive, bool integer, bool greater) {
  const ExprId rest = integer ? kEmpty : fraction_;
  const ExprId first = x_.bytes(ByteSet::of('1', '9'));
  const std::string& whole = bound.whole;
  const auto n = static_cast<int32_t>(whole.size());
  std::vector<ExprId> parts;
  if (greater && n < kMostDigits) {
    parts.push_back(x_.sequence({first, digits(n, kMostDigits - 1), rest}));
  } else if (!greater && n > 1) {
    parts.push_back(x_.sequence({first, digits(0, n - 2), rest}));
    parts.push_back(x_.sequence(byte('0'), rest));
  }
  ExprId begin = kEmpty;
  for (int32_t i = 0; i < n; ++i) {
    const char digit = whole[static_cast<size_t>(i)];
    const int above = digit + 1;
    const int least = i == 0 && n > 1 ? '1' : '0';
    const ExprId behind = x_.sequence(digits(n - i - 1, n - i - 1), rest);
    if (greater && above <= '9') {
      const auto set = ByteSet::of(static_cast<uint8_t>(above), '9');
      parts.push_back(x_.sequence({begin, x_.bytes(set), behind}));
    }
    if (!greater && digit > least) {
      const auto set = ByteSet::of(static_cast<uint8_t>(least), static_cast<uint8_t>(digit - 1));
      parts.push_back(x_.sequence({begin, x_.bytes(set), behind}));
    }
    begin = x_.sequence(begin, byte(digit));
  }
  if (integer) {
    const bool equal =
        greater ? !exclusive && bound.fraction.empty() : !exclusive || !bound.fraction.empty();
    if (equal) parts.push_back(begin);
  } else {
    parts.push_back(x_.sequence(begin, compare_fraction(bound.fraction, exclusive, greater)));
  }
  return x_.any_of(parts);
}

// Numbers (with their sign) on one side of a bound.
ExprId JsonText::from(const Decimal& bound, bool exclusive, bool integer, bool greater) {
  const ExprId any = integer ? whole_ : x_.sequence(whole_, fraction_);
  const ExprId minus = byte('-');
  if (bound.negative == greater) {
    // Towards the other sign: all of that, and what is nearer to zero than the bound.
    const ExprId near = compare_whole(bound, exclusive, integer, false);
    return bound.negative ? x_.any_of({any, x_.sequence(minus, near)})
                          : x_.any_of({near, x_.sequence(minus, any)});
  }
  const ExprId far = compare_whole(bound, exclusive, integer, true);
  return bound.negative ? x_.sequence(minus, far) : far;
}

ExprId JsonText::number_between(const std::optional<NumberBound>& least,
                                const std::optional<NumberBound>& most, bool integer) {
  std::vector<ExprId> parts;
  // Zero with a sign is zero, on which side soever the bound is.
  if (least) parts.push_back(from(least->value, least->exclusive, integer, true));
  if (most) parts.push_back(from(most->value, most->exclusive, integer, false));
  const ExprId zero =
      integer ? byte('0')
              : x_.sequence(byte('0'),
                            x_.optional(x_.sequence(byte('.'), x_.repeat(byte('0'), 1, -1))));
  parts.push_back(x_.none_of(x_.sequence(byte('-'), zero)));
  return x_.all_of(parts);
}

ExprId JsonText::multiple_of(int64_t k, int32_t n, bool integer) {
  const ExprId sign = x_.optional(byte('-'));
  const ExprId multiple = x_.sequence(sign, x_.multiple({.k = k, .digits = n}));
  return x_.all_of({multiple, x_.sequence({sign, whole_, integer ? kEmpty : fraction_})});
}

void JsonText::build_values() {
  const int32_t value = x_.add_rule();
  const int32_t object = x_.add_rule();
  const int32_t array = x_.add_rule();
  value_ = x_.rule(value);
  object_ = x_.rule(object);
  array_ = x_.rule(array);
  const ExprId open = x_.block(x_.sequence(byte('{'), space_));
  const ExprId close = x_.block(x_.sequence(space_, byte('}')));
  const ExprId name = style_.bare_names() ? x_.block(bare_name_) : any_string_;
  const ExprId member = x_.sequence({name, colon_, value_});
  const ExprId members = x_.sequence(member, x_.repeat(x_.sequence(comma_, member), 0, -1));
  const ExprId items = x_.sequence(value_, x_.repeat(x_.sequence(comma_, value_), 0, -1));
  x_.set_body(object, x_.sequence({open, x_.optional(members), close}));
  x_.set_body(array, x_.sequence({x_.block(x_.sequence(byte('['), space_)), x_.optional(items),
                                  x_.block(x_.sequence(space_, byte(']')))}));
  const ExprId words = x_.block(x_.any_of({booleans(), null()}));
  x_.set_body(value, x_.any_of({any_string_, x_.block(any_number_), words, object_, array_}));
  if (style_.kind == ValueStyle::Kind::json && style_.quote == "\"") {
    x_.json_rules = {value_, object_, array_};
  }
}

ExprId JsonText::exactly(const json::value& value) {
  if (value.is_string()) {
    return quoted(x_.text(spell(std::string_view(value.get_string()), style_.spelling())));
  }
  if (value.is_array()) {
    ExprId items = kEmpty;
    for (const json::value& item : value.get_array()) {
      if (items != kEmpty) items = x_.sequence({items, space_, byte(','), space_});
      items = x_.sequence(items, exactly(item));
    }
    return x_.sequence({byte('['), space_, items, items == kEmpty ? kEmpty : space_, byte(']')});
  }
  if (value.is_object()) {
    ExprId members = kEmpty;
    for (const auto& [key, member] : value.get_object()) {
      if (members != kEmpty) members = x_.sequence({members, space_, byte(','), space_});
      members = x_.sequence({members, name(std::string_view(key), style_.bare_names()), space_,
                             byte(':'), space_, exactly(member)});
    }
    return x_.sequence(
        {byte('{'), space_, members, members == kEmpty ? kEmpty : space_, byte('}')});
  }
  if (value.is_null()) return null();
  if (value.is_bool()) return boolean(value.get_bool());
  return x_.text(to_json(value));
}

}  // namespace strata::inference
