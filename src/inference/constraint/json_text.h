// JSON's texts as expressions: strings, numbers, and any value.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/json.h"
#include "inference/constraint/code_points.h"
#include "inference/constraint/expression.h"
#include "inference/constraint/members.h"

namespace strata::inference {

// A decimal number as it is written without an exponent.
struct Decimal {
  bool negative = false;
  std::string whole;     // without zeros in front; "0"
  std::string fraction;  // without zeros behind; may be empty
  bool operator==(const Decimal&) const = default;
  std::string text() const;
};
// Of a number in a schema, with all of its digits.
Decimal exact_decimal(const json::value& number);
// Empty: it has more digits than numbers are written with.
std::optional<Decimal> decimal_of(const json::value& number);

struct NumberBound {
  Decimal value;
  bool exclusive = false;
};

// How values are written that formats of calls have in place of JSON's.
struct ValueStyle {
  enum class Kind {
    json,
    python,  // literals of Python
    marked   // JSON, but strings have no escapes, and names of members no quotes
  } kind = Kind::json;
  std::string quote = "\"";  // around strings; marked: a text without their content
  Members members = Members::any;

  Spelling spelling() const {
    if (kind == Kind::marked) return Spelling::plain;
    return quote == "'" ? Spelling::single : Spelling::json;
  }
  bool bare_names() const { return kind == Kind::marked; }
};

// What stands around members, and between a name and its value.
struct MemberMarks {
  std::string open = "{", close = "}";
  ExprId colon = 0;
  bool bare_names = false;
};

class JsonText {
 public:
  explicit JsonText(Expressions& x, ValueStyle style = {});

  const ValueStyle& style() const { return style_; }
  // Of objects.
  MemberMarks marks() const { return {.colon = colon_, .bare_names = style_.bare_names()}; }
  // Of a call's arguments.
  MemberMarks call_marks() const;

  // A string with any escapes, as a block.
  ExprId any_string() const { return any_string_; }
  // Strings of so many characters, each with any escape; most = -1: without end.
  ExprId string_of_length(int32_t least, int32_t most);
  // `content` between quotes.
  ExprId quoted(ExprId content);
  // What stands between quotes, spelled in the one way of the style.
  ExprId plain_content() const { return plain_content_; }
  // Any name of a member, where it has no quotes.
  ExprId bare_name() const { return bare_name_; }
  // A given name, with its quotes; nothing: it cannot be written.
  ExprId name(std::string_view name, bool bare);
  ExprId null() { return word("null", "None"); }
  ExprId boolean(bool value) { return value ? word("true", "True") : word("false", "False"); }
  ExprId booleans() { return x_.any_of({boolean(true), boolean(false)}); }

  ExprId any_number() const { return any_number_; }
  ExprId any_integer() const { return any_integer_; }
  // Without an exponent.
  ExprId number_between(const std::optional<NumberBound>& least,
                        const std::optional<NumberBound>& most, bool integer);
  // -? and a multiple of k * 10^-digits, without an exponent.
  ExprId multiple_of(int64_t k, int32_t digits, bool integer);

  ExprId space() const { return space_; }  // at most one, or an end of line and up to 32
  ExprId comma() const { return comma_; }  // with blanks around it
  ExprId colon() const { return colon_; }
  ExprId value_rule() const { return value_; }    // any value
  ExprId object_rule() const { return object_; }  // any object
  ExprId array_rule() const { return array_; }
  // A given value: objects in the order given.
  ExprId exactly(const json::value& value);

 private:
  ExprId byte(char c);
  ExprId word(std::string_view json, std::string_view python) {
    return x_.text(style_.kind == ValueStyle::Kind::python ? python : json);
  }
  ExprId digits(int32_t least, int32_t most);
  ExprId from(const Decimal& bound, bool exclusive, bool integer, bool greater);
  ExprId compare_whole(const Decimal& bound, bool exclusive, bool integer, bool greater);
  ExprId compare_fraction(const std::string& fraction, bool exclusive, bool greater);
  void build_strings();
  void build_numbers();
  void build_values();

  Expressions& x_;
  const ValueStyle style_;
  ExprId quote_ = 0, no_quote_ = -1, bare_name_ = 0;
  ExprId character_ = 0, plain_content_ = 0, any_string_ = 0;
  ExprId any_number_ = 0, any_integer_ = 0, whole_ = 0, fraction_ = 0;
  ExprId space_ = 0, comma_ = 0, colon_ = 0;
  ExprId value_ = 0, object_ = 0, array_ = 0;
};

}  // namespace strata::inference
