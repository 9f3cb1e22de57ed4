// Boost.JSON's parser over values of our own making: up to its version 1.81 it computes numbers of
// many digits or large exponents in floating point, a bit or two off, and those beyond a double
// become infinities, which JSON cannot write.
#include <algorithm>
#include <charconv>
#include <cmath>

#include <boost/json/basic_parser_impl.hpp>

#include "core/error.h"
#include "core/json.h"

namespace strata {
namespace {

// Told of what the parser meets, in order (boost/json/basic_parser.hpp).
struct ValueBuilder {
  static constexpr size_t max_object_size = SIZE_MAX;
  static constexpr size_t max_array_size = SIZE_MAX;
  static constexpr size_t max_key_size = SIZE_MAX;
  static constexpr size_t max_string_size = SIZE_MAX;
  using Text = json::string_view;
  using Problem = json::error_code;

  bool on_document_begin(Problem&) { return values.reset(), true; }
  bool on_document_end(Problem&) { return true; }
  bool on_object_begin(Problem&) { return true; }
  bool on_object_end(size_t n, Problem&) { return values.push_object(n), true; }
  bool on_array_begin(Problem&) { return true; }
  bool on_array_end(size_t n, Problem&) { return values.push_array(n), true; }
  bool on_key_part(Text part, size_t, Problem&) { return values.push_chars(part), true; }
  bool on_key(Text part, size_t, Problem&) { return values.push_key(part), true; }
  bool on_string_part(Text part, size_t, Problem&) { return values.push_chars(part), true; }
  bool on_string(Text part, size_t, Problem&) { return values.push_string(part), true; }
  bool on_number_part(Text part, Problem&) { return number.append(part), true; }
  bool on_int64(int64_t value, Text, Problem&) {
    number.clear();
    return values.push_int64(value), true;
  }
  bool on_uint64(uint64_t value, Text, Problem&) {
    number.clear();
    return values.push_uint64(value), true;
  }
  bool on_double(double rough, Text part, Problem& problem) {
    number.append(part);
    double value = rough;
    const auto read = std::from_chars(number.data(), number.data() + number.size(), value);
    // Out of range are also those that are too small for a double, which are 0.
    if (read.ec != std::errc{}) value = std::fabs(rough) < 1.0 ? 0.0 : INFINITY;
    if (!std::isfinite(value)) problem = json::error::exponent_overflow;
    number.clear();
    return values.push_double(value), !problem;
  }
  bool on_bool(bool value, Problem&) { return values.push_bool(value), true; }
  bool on_null(Problem&) { return values.push_null(), true; }
  bool on_comment_part(Text, Problem&) { return true; }
  bool on_comment(Text, Problem&) { return true; }

  json::value_stack values;
  std::string number;  // what came of its text in parts
};

// As editors count: lines and bytes of a line from 1.
std::string place_of(std::string_view text, size_t at) {
  const std::string_view before = text.substr(0, at);
  const auto line = 1 + std::ranges::count(before, '\n');
  if (line == 1) return fmt::format("byte {}", at);
  return fmt::format("byte {}, line {}, column {}", at, line, at - before.rfind('\n'));
}

}  // namespace

json::value parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    throw Error(Code::invalid_argument, fmt::format("JSON of {} bytes is over the limit of {}",
                                                    text.size(), limits.max_bytes));
  }
  json::parse_options options;
  options.max_depth = limits.max_depth;
  json::basic_parser<ValueBuilder> parser(options);
  json::error_code error;
  const size_t used = parser.write_some(false, text.data(), text.size(), error);
  if (!error && text.find_first_not_of(" \t\r\n", used) != std::string_view::npos) {
    error = json::error::extra_data;
  }
  if (error) {
    throw Error(Code::invalid_argument,
                fmt::format("JSON: {} at {}", error.message(), place_of(text, used)));
  }
  return parser.handler().values.release();
}

}  // namespace strata
