# What reads bytes that others made (model files, requests) and its tests with broken ones, without
# the arithmetic: hostile_test, which ./dev test builds with sanitizers. Left out is what computes;
# requests are answered by the scripted backend.
include(libraries)
enable_testing()
set(STRATA_TESTS OFF)  # those of every room ask for all of it
strata_room(core LIBS strata_core_libs)
strata_room(tensor USES core ONLY "/(dtype|dequant[a-z_]*|iq_tables|buffer|arena)\\.cpp$")
strata_room(models USES tensor LIBS strata_models_libs)
strata_room(inference USES models
            ONLY "/(prefix_(index|file|folder)|cache_folder|model_caches|packed_disk|defaults|sampler_params|stop_strings|embedding|constraint/[a-z_]*)\\.cpp$")
strata_room(modify USES inference ONLY "/mix\\.cpp$")
strata_room(api USES modify LIBS strata_api_libs
            EXCEPT "/gateway/(local|remote|model_manager)[a-z_]*\\.cpp$")

set(STRATA_TESTS ON)
add_library(strata_hostile INTERFACE)
target_link_libraries(strata_hostile INTERFACE strata_api)
file(GLOB_RECURSE fuzzers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/*_fuzz.cpp)
strata_replay(hostile replay ${fuzzers})
# By their content: a file with a suite whose name has Hostile in it is one of them.
file(GLOB_RECURSE candidates CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/models/*_test.cpp
                                               ${CMAKE_SOURCE_DIR}/src/api/*_test.cpp)
# What they share stands in src/api/testing, in a file that is named as a test.
file(GLOB hostile CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/api/testing/*_test.cpp)
foreach(file ${candidates})
  file(STRINGS ${file} found REGEX "^TEST(_F|_P)?\\([A-Za-z]*Hostile" LIMIT_COUNT 1)
  if(found)
    list(APPEND hostile ${file})
  endif()
endforeach()
strata_tests(hostile ${hostile} ${replay} ${CMAKE_SOURCE_DIR}/tests/hostile/left_out.cpp)
