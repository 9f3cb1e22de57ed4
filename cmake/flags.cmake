# Compiler and linker flags for every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_compile_options(-Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
                    -Wno-psabi)
if(STRATA_WERROR)
  add_compile_options(-Werror)
endif()

# Results must not depend on which kernel the compiler chose to contract into fused operations.
add_compile_options(-ffp-contract=off -ffunction-sections -fdata-sections)
add_compile_options($<$<CONFIG:Release>:-fstack-protector-strong>
                    $<$<CONFIG:Release>:-U_FORTIFY_SOURCE> $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=2>)
add_link_options(-Wl,--gc-sections -Wl,-z,relro,-z,now -Wl,--as-needed)

# Release means -O2 with assertions of our own (CHECK) always on; kernels add -O3 themselves.
set(CMAKE_CXX_FLAGS_RELEASE "-O2")

if(STRATA_SANITIZE)
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
  add_compile_options(-fsanitize=${STRATA_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${STRATA_SANITIZE})
endif()

find_program(STRATA_CCACHE ccache)
if(STRATA_CCACHE)
  # What ccache must overlook so that precompiled headers can be cached at all, and the mode in which
  # a miss is not preprocessed twice (its manual).
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env
      CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_DEPEND=1 CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_ctime,include_file_mtime
      ${STRATA_CCACHE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    add_compile_options(-fpch-preprocess)
  endif()
endif()
find_program(STRATA_MOLD mold)
if(STRATA_MOLD AND NOT STRATA_FUZZ AND NOT CMAKE_CROSSCOMPILING)  # cross compilers do not find it
  add_link_options(-fuse-ld=mold)
endif()
