# A room is a folder below src/: one static library, one test program, its benchmarks and fuzzers.
# Files are found by name, so that a new brick is a new file and no list is edited. ONLY and EXCEPT
# (regular expressions) make a part of a room's library, for builds that need no more.
include(GoogleTest OPTIONAL)

set_source_files_properties(${CMAKE_SOURCE_DIR}/src/core/version.cpp PROPERTIES
  COMPILE_DEFINITIONS STRATA_VERSION="${PROJECT_VERSION}")

function(strata_room name)
  cmake_parse_arguments(ROOM "" "ONLY;EXCEPT" "USES;LIBS" ${ARGN})
  set(dir ${CMAKE_SOURCE_DIR}/src/${name})
  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${dir}/*.cpp)
  set(tests ${files})
  set(benches ${files})
  set(fuzzers ${files})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cpp$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cpp$")
  list(FILTER files EXCLUDE REGEX "(_test|_bench|_fuzz|/main)\\.cpp$")
  if(ROOM_ONLY)
    list(FILTER files INCLUDE REGEX "${ROOM_ONLY}")
  endif()
  if(ROOM_EXCEPT)
    list(FILTER files EXCLUDE REGEX "${ROOM_EXCEPT}")
  endif()

  add_library(strata_${name} STATIC ${files})
  target_include_directories(strata_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  list(TRANSFORM ROOM_USES PREPEND strata_)
  target_link_libraries(strata_${name} PUBLIC ${ROOM_USES} ${ROOM_LIBS})
  strata_precompile(strata_${name})
  if(EXISTS ${dir}/room.cmake)
    include(${dir}/room.cmake)
  endif()

  if(STRATA_TESTS AND tests)
    if(fuzzers)
      strata_replay(${name} replay ${fuzzers})
      list(APPEND tests ${replay})
    endif()
    strata_tests(${name} ${tests})
  endif()
  if(benches AND (STRATA_BENCH OR STRATA_TESTS))
    if(STRATA_BENCH OR STRATA_WERROR)
      find_package(benchmark REQUIRED)
    else()
      find_package(benchmark QUIET)
    endif()
    if(STRATA_BENCH)
      add_executable(${name}_bench ${benches})
      strata_link(${name}_bench strata_${name} benchmark::benchmark_main)
    elseif(benchmark_FOUND)  # so that a change that breaks one is seen
      add_library(${name}_bench_compiles OBJECT ${benches})
      target_link_libraries(${name}_bench_compiles PRIVATE strata_${name} benchmark::benchmark)
    endif()
  endif()
  if(STRATA_FUZZ)
    foreach(file ${fuzzers})
      get_filename_component(target ${file} NAME_WE)
      add_executable(${target} ${file})
      strata_link(${target} strata_${name})
      target_compile_options(${target} PRIVATE -fsanitize=fuzzer)
      target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    endforeach()
  endif()
endfunction()

# The fuzzers of a room as tests: each file in testdata/PART_fuzz/ beside PART_fuzz.cpp is a seed of
# the fuzzer or an input that once failed, and a test of its own.
function(strata_replay name out)
  set(declarations)
  set(cases)
  foreach(file ${ARGN})
    get_filename_component(target ${file} NAME_WE)
    get_filename_component(dir ${file} DIRECTORY)
    file(GLOB inputs CONFIGURE_DEPENDS ${dir}/testdata/${target}/*)
    if(NOT inputs)
      message(FATAL_ERROR "${file} has no seeds: put some into ${dir}/testdata/${target}/")
    endif()
    set_source_files_properties(${file} PROPERTIES
      COMPILE_DEFINITIONS LLVMFuzzerTestOneInput=${target})
    string(APPEND declarations "extern \"C\" int ${target}(const uint8_t* data, size_t size);\n")
    foreach(input ${inputs})
      get_filename_component(input_name ${input} NAME)
      string(MAKE_C_IDENTIFIER "${target}_${input_name}" case)
      string(APPEND cases "TEST(FuzzCorpus, ${case}) {\n  replay(\"${input}\", ${target});\n}\n")
    endforeach()
  endforeach()
  set(made ${CMAKE_BINARY_DIR}/generated/${name}_fuzz_corpus_test.cpp)
  file(CONFIGURE OUTPUT ${made} @ONLY CONTENT [==[// Made by cmake/rooms.cmake.
#include <gtest/gtest.h>

#include "core/testing/replay.h"

using strata::testing::replay;

@declarations@
@cases@]==])
  set(${out} ${ARGN} ${made} PARENT_SCOPE)
endfunction()

# Rooms whose bricks register themselves before main; the linker must keep every object of them.
set(STRATA_REGISTRY_ROOMS strata_models strata_api strata_app)

function(strata_link target)
  string(REPLACE ";" "," whole "${STRATA_REGISTRY_ROOMS}")
  set_target_properties(${target} PROPERTIES LINK_LIBRARY_OVERRIDE "WHOLE_ARCHIVE,${whole}")
  target_link_libraries(${target} PRIVATE ${ARGN})
endfunction()

# One test program a room, one ctest entry a suite.
function(strata_tests name)
  find_package(GTest REQUIRED)
  find_package(rapidcheck REQUIRED)
  add_executable(${name}_test ${ARGN})
  strata_link(${name}_test strata_${name} GTest::gmock_main rapidcheck rapidcheck_gtest)
  target_compile_definitions(${name}_test PRIVATE STRATA_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)  # false alarms of g++ 12 about joined strings (PR 105329)
    target_compile_options(${name}_test PRIVATE -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow)
  endif()
  strata_precompile_tests(${name}_test)
  set(suites)
  set(alone)  # suites that compute on every core: beside others they would wait in their barriers
  foreach(file ${ARGN})
    set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(STRINGS ${file} lines REGEX "^(TEST|TEST_F|TEST_P|RC_GTEST_PROP|RC_GTEST_FIXTURE_PROP)\\(")
    file(STRINGS ${file} uses_every_core REGEX "^// Uses every core")
    foreach(line ${lines})
      string(REGEX REPLACE "^[A-Z_]+\\(([A-Za-z0-9_]+),?.*" "\\1" suite "${line}")
      list(APPEND suites ${suite})
      if(uses_every_core)
        list(APPEND alone ${suite})
      endif()
    endforeach()
  endforeach()
  list(REMOVE_DUPLICATES suites)
  foreach(suite ${suites})
    add_test(NAME ${name}.${suite}
             COMMAND ${name}_test --gtest_filter=${suite}.*:*/${suite}.*:${suite}/*.*
             WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(${name}.${suite} PROPERTIES TIMEOUT 1200 LABELS ${name})
    if(suite IN_LIST alone)
      set_tests_properties(${name}.${suite} PROPERTIES RUN_SERIAL ON)
    endif()
  endforeach()
endfunction()

function(strata_program name main)
  add_executable(${name} ${main})
  strata_link(${name} strata_app)
  install(TARGETS ${name} RUNTIME DESTINATION bin)
endfunction()
