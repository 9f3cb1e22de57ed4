// Sizes as people write them, in settings and options.
#pragma once

#include <cstdint>
#include <string_view>

namespace strata {

// "4GB", "1.5 GB", "512MB", "64kB" (decimal, as format_bytes prints them), "4GiB" (binary), plain
// bytes ("4096", "0"); capitals or not. Error{invalid_argument} for all else, and for 8 EiB or
// more.
int64_t parse_bytes(std::string_view text);

}  // namespace strata
