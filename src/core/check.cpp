#include "core/check.h"

#include <cstdlib>

#include "core/log.h"

namespace strata::detail {

void check_failed(const char* condition, const char* file, int line) {
  log_error("bug: CHECK({}) failed at {}:{}", condition, file, line);
  std::abort();
}

}  // namespace strata::detail
