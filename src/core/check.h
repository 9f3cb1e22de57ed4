// CHECK: for our own bugs only. No byte from outside may be able to reach a failing CHECK;
// what comes from outside is refused with strata::Error.
#pragma once

namespace strata::detail {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}

#define CHECK(condition)                                              \
  do {                                                                \
    if (!(condition)) [[unlikely]]                                    \
      ::strata::detail::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
