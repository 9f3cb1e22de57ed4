#include "core/byte_size.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>

#include "core/ascii.h"
#include "core/error.h"
#include "core/utf8.h"

namespace strata {
namespace {

struct Unit {
  std::string_view name;  // in small letters
  double bytes;
};
constexpr std::array kUnits{Unit{"", 1},
                            Unit{"b", 1},
                            Unit{"kb", 1e3},
                            Unit{"mb", 1e6},
                            Unit{"gb", 1e9},
                            Unit{"tb", 1e12},
                            Unit{"kib", 1024},
                            Unit{"mib", 1024.0 * 1024},
                            Unit{"gib", 1024.0 * 1024 * 1024},
                            Unit{"tib", 1024.0 * 1024 * 1024 * 1024}};

std::optional<double> bytes_of(std::string_view text) {
  if (text.empty() || text.find_first_of("0123456789.") != 0) return std::nullopt;
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  if (text.starts_with(' ')) text.remove_prefix(1);
  const std::string name = lower_case(text);
  const auto unit = std::ranges::find(kUnits, name, &Unit::name);
  if (unit == kUnits.end()) return std::nullopt;
  return number * unit->bytes;
}

}  // namespace

int64_t parse_bytes(std::string_view text) {
  const auto bytes = bytes_of(text);
  if (!bytes || *bytes >= 0x1p63) {
    throw Error(Code::invalid_argument,
                fmt::format("'{}' is no size", repair_utf8(text.substr(0, 40))),
                "write for example 4GB, 512MB or 0");
  }
  return static_cast<int64_t>(*bytes);
}

}  // namespace strata
