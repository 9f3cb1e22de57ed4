// The program's version, and what tells one build of it from another.
#pragma once

#include <string>
#include <string_view>

namespace strata {

std::string_view version();  // "0.1.0"

// The same for the same program file and C library only: where, on one kind of processor, the same
// input gives the same floating-point values. Read once.
const std::string& program_identity();

}  // namespace strata
