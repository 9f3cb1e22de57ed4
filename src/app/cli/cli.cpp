#include "app/cli/cli.h"

#include <cstdio>
#include <string>

#include "core/version.h"

namespace strata::app {

int run_command_line(int, char**) {
  const std::string line = "strata " + std::string(version()) + "\n";
  std::fwrite(line.data(), 1, line.size(), stdout);
  return 0;
}

}  // namespace strata::app
