// Times as people write them, in settings, options and requests.
#pragma once

#include <cstdint>
#include <string_view>

namespace strata {

constexpr int64_t kForEver = -1;

// "5m", "1h30m", "1.5s", "250ms", "30d", plain seconds ("300", "0") → milliseconds. Whatever is
// below zero ("-1", "-1m"), or beyond 30,000 years, is kForEver. Error{invalid_argument}.
int64_t parse_duration_ms(std::string_view text);

}  // namespace strata
