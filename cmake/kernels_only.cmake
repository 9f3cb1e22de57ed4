# The room tensor, the files of core that it uses, and its tests: nothing of the libraries that the
# rest of the program is linked with, which a cross compiler does not have. fmt is used as headers,
# GoogleTest is built from source (Debian: libfmt-dev, googletest).
enable_language(C)  # GoogleTest asks for threads in C
find_package(Threads REQUIRED)
find_file(fmt_core fmt/core.h PATHS /usr/include NO_CMAKE_FIND_ROOT_PATH REQUIRED)
get_filename_component(fmt_folder ${fmt_core} DIRECTORY)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/include)  # fmt alone: its neighbours are another system's
file(CREATE_LINK ${fmt_folder} ${CMAKE_BINARY_DIR}/include/fmt SYMBOLIC)

add_library(strata_core STATIC src/core/check.cpp src/core/cpu.cpp src/core/error.cpp
                               src/core/log.cpp src/core/os.cpp src/core/secrets.cpp
                               src/core/threads.cpp)
target_include_directories(strata_core PUBLIC src ${CMAKE_BINARY_DIR}/include)
target_compile_definitions(strata_core PUBLIC FMT_HEADER_ONLY)
target_link_libraries(strata_core PUBLIC Threads::Threads)

set(STRATA_TESTS OFF)  # those of every room ask for more libraries
strata_room(tensor USES core)

add_subdirectory(/usr/src/googletest googletest EXCLUDE_FROM_ALL)
file(GLOB_RECURSE tests CONFIGURE_DEPENDS src/tensor/*_test.cpp)
add_executable(tensor_test ${tests})
target_link_libraries(tensor_test PRIVATE strata_tensor gmock_main)
target_compile_definitions(tensor_test PRIVATE STRATA_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
