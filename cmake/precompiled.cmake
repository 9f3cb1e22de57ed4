# Headers that nearly every file includes, parsed once: a file compiles in a quarter of the time.
# A file still names what it uses; with -DSTRATA_PRECOMPILE=OFF one that does not fails.
option(STRATA_PRECOMPILE "Parse the common headers once" ON)

set(strata_common_headers
    <algorithm> <array> <atomic> <cstdint> <filesystem> <functional> <map> <memory> <mutex>
    <optional> <span> <string> <string_view> <unordered_map> <variant> <vector> <fmt/core.h>
    <core/error.h> <core/json.h>)  # in angles: a path of this folder would spoil ccache for others

# strata_core owns the parsed headers; the other rooms use them as they are, so flags must agree.
function(strata_precompile target)
  if(NOT STRATA_PRECOMPILE)
    return()
  endif()
  if(target STREQUAL strata_core)
    target_precompile_headers(${target} PRIVATE ${strata_common_headers})
  else()
    target_precompile_headers(${target} REUSE_FROM strata_core)
  endif()
endfunction()

# The same for tests, with the test libraries on top. The first room's tests own them.
function(strata_precompile_tests target)
  if(NOT STRATA_PRECOMPILE)
    return()
  endif()
  if(NOT TARGET strata_test_headers)
    # A program, never linked, since programs are compiled with other flags than libraries.
    file(WRITE ${CMAKE_BINARY_DIR}/generated/test_headers.cpp "int main() {}\n")
    add_executable(strata_test_headers EXCLUDE_FROM_ALL
                   ${CMAKE_BINARY_DIR}/generated/test_headers.cpp)
    target_link_libraries(strata_test_headers PRIVATE strata_core GTest::gmock rapidcheck
                                                      rapidcheck_gtest)
    target_precompile_headers(strata_test_headers PRIVATE ${strata_common_headers}
                              <gmock/gmock.h> <gtest/gtest.h> <rapidcheck.h>
                              <rapidcheck/gtest.h>)
  endif()
  target_precompile_headers(${target} REUSE_FROM strata_test_headers)
endfunction()
