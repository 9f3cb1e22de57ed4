// Numbers that nobody can guess, from the system.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace strata {

// Error{internal} where the system gives none.
std::vector<unsigned char> random_bytes(size_t n_bytes);
std::string random_hex(size_t n_bytes);  // two digits a byte

}  // namespace strata
