#include "core/duration.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>

#include "core/error.h"
#include "core/utf8.h"

namespace strata {
namespace {

constexpr double kLongestMs = 1e15;

struct Unit {
  std::string_view name;
  double ms;
};
constexpr std::array kUnits{Unit{"ns", 1e-6}, Unit{"us", 1e-3}, Unit{"µs", 1e-3},
                            Unit{"ms", 1},    Unit{"s", 1e3},   Unit{"m", 60e3},
                            Unit{"h", 3.6e6}, Unit{"d", 86.4e6}};

// The number that text begins with, taken off it. No exponents: "1e3" is a slip, not a time.
std::optional<double> take_number(std::string_view& text) {
  if (text.empty() || text.find_first_of("0123456789.") != 0) return std::nullopt;
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

std::optional<double> take_unit(std::string_view& text) {
  const std::string_view name = text.substr(0, text.find_first_of("0123456789."));
  const auto unit = std::ranges::find(kUnits, name, &Unit::name);
  if (unit == kUnits.end()) return std::nullopt;
  text.remove_prefix(name.size());
  return unit->ms;
}

// Seconds, or pairs of number and unit; nullopt when it is neither.
std::optional<double> total_ms(std::string_view text) {
  double total = 0;
  for (bool first = true; first || !text.empty(); first = false) {
    const auto value = take_number(text);
    if (!value) return std::nullopt;
    if (first && text.empty()) return *value * 1e3;
    const auto unit = take_unit(text);
    if (!unit) return std::nullopt;
    total += *value * *unit;
  }
  return total;
}

}  // namespace

int64_t parse_duration_ms(std::string_view text) {
  const bool negative = text.starts_with('-');
  const auto total = total_ms(text.substr(negative ? 1 : 0));
  if (!total) {
    throw Error(Code::invalid_argument,
                fmt::format("'{}' is no time", repair_utf8(text.substr(0, 40))),
                "write for example 30s, 5m, 1h30m, 300 (seconds), 0 (at once) or -1 (for ever)");
  }
  if ((negative && *total > 0) || *total > kLongestMs) return kForEver;
  return static_cast<int64_t>(*total);
}

}  // namespace strata
