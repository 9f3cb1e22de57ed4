// The program's version.
#pragma once

#include <string_view>

namespace strata {
std::string_view version();  // "0.1.0"
}
