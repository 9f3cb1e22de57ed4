// Runs a fuzzer's function over one stored input (cmake/rooms.cmake makes the tests).
#pragma once

#include <cstdint>

#include <gtest/gtest.h>

#include "core/os.h"

namespace strata::testing {

inline void replay(const char* path, int (*fuzzer)(const uint8_t* data, size_t size)) {
  const std::string input = read_file(path);
  EXPECT_EQ(fuzzer(reinterpret_cast<const uint8_t*>(input.data()), input.size()), 0);
}

}  // namespace strata::testing
