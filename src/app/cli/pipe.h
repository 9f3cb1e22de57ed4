// Text that another program hands over on standard input.
#pragma once

#include <string>

namespace strata::app {

// All of it. Error{invalid_argument} beyond 16 MiB.
std::string read_pipe();

}  // namespace strata::app
