#include "core/version.h"

#include <fmt/core.h>
#include <gnu/libc-version.h>

#include "core/hash.h"

namespace strata {

std::string_view version() {
  return STRATA_VERSION;
}

const std::string& program_identity() {
  static const std::string identity =
      fmt::format("{} libc {}", sha256_file("/proc/self/exe"), ::gnu_get_libc_version());
  return identity;
}

}  // namespace strata
