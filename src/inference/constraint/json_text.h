// JSON's texts as expressions: strings, numbers, and any value.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/json.h"
#include "inference/constraint/expression.h"

namespace strata::inference {

// A decimal number as it is written without an exponent.
struct Decimal {
  bool negative = false;
  std::string whole;     // without zeros in front; "0"
  std::string fraction;  // without zeros behind; may be empty
};
// Of a number in a schema. Empty: it has more digits than can be honoured.
std::optional<Decimal> decimal_of(const json::value& number);

struct NumberBound {
  Decimal value;
  bool exclusive = false;
};

class JsonText {
 public:
  explicit JsonText(Expressions& x);

  // A string with any escapes, as a block.
  ExprId any_string() const { return any_string_; }
  // Strings of so many characters, each with any escape; most = -1: without end.
  ExprId string_of_length(int32_t least, int32_t most);
  // Strings that are spelled in the one way of Spelling::json: `content` between quotes.
  ExprId string_of(ExprId content);
  // What stands between quotes, spelled in the one way.
  ExprId plain_content() const { return plain_content_; }
  ExprId any_content() const { return any_content_; }

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
  ExprId digits(int32_t least, int32_t most);
  ExprId from(const Decimal& bound, bool exclusive, bool integer, bool greater);
  ExprId compare_whole(const Decimal& bound, bool exclusive, bool integer, bool greater);
  ExprId compare_fraction(const std::string& fraction, bool exclusive, bool greater);
  void build_strings();
  void build_numbers();
  void build_values();

  Expressions& x_;
  ExprId character_ = 0, any_content_ = 0, plain_content_ = 0, any_string_ = 0;
  ExprId any_number_ = 0, any_integer_ = 0, fraction_ = 0;
  ExprId space_ = 0, comma_ = 0, colon_ = 0;
  ExprId value_ = 0, object_ = 0, array_ = 0;
};

}  // namespace strata::inference
