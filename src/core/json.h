// JSON: the only header that wraps Boost.JSON. Parsing has limits; writing prints numbers the way
// people and other programs expect (0.7, not 7E-1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json.hpp>

namespace strata {

namespace json = boost::json;

struct JsonLimits {
  size_t max_bytes = 64u << 20;
  size_t max_depth = 64;
};

// Throws Error{invalid_argument} with the byte offset and the reason. Duplicate keys: last wins.
json::value parse_json(std::string_view text, const JsonLimits& limits = {});

struct JsonStyle {
  int indent = 0;                       // 0: compact, one line
  bool space_after_separators = false;  // Python's json.dumps style: ", " and ": "
  bool ascii_only = false;              // escape everything beyond ASCII as \uXXXX
};

std::string to_json(const json::value& value, const JsonStyle& style = {});
// A quoted, escaped JSON string. Invalid UTF-8 is replaced by U+FFFD.
std::string json_quote(std::string_view text, bool ascii_only = false);
// Shortest text that reads back as the same double, as Python prints it ("0.7", "1e-05", "2.0").
std::string json_number(double value);

}  // namespace strata
