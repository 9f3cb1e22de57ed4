# Kernel files: each is compiled for its instruction set and optimised hard. They share no inline
# functions with the rest of the program (tensor/kernels.h). No strict aliasing: attention turns
# scores into weights in place.
set(kernel_flags -O3 -fno-math-errno -fno-trapping-math -fno-strict-aliasing
                 -fno-stack-protector -fno-asynchronous-unwind-tables
                 -Wno-uninitialized)  # noise of g++ 12's intrinsics, as the next
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # -ftree-ter computes all products of an unrolled loop before the first sum: of int8 tiles on AVX2
  # a third of the instructions then spill registers (prompts 1.1 to 1.4 times slower).
  list(APPEND kernel_flags -Wno-maybe-uninitialized -fno-tree-ter)
endif()
if(STRATA_FUZZ)  # no fuzzer calls them, and checked unrolled loops take clang minutes a file
  list(APPEND kernel_flags -O1 -fno-sanitize=all)
elseif(STRATA_SANITIZE)  # addresses are checked; overflow checks in unrolled loops take g++ minutes
  list(APPEND kernel_flags -O1 -fno-sanitize=undefined)
endif()
set(avx2_flags -mavx2 -mfma -mf16c -mbmi2)
set(avx512_flags ${avx2_flags} -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni
                 -mprefer-vector-width=512)
function(kernel_file name)
  set_source_files_properties(${CMAKE_SOURCE_DIR}/src/tensor/kernels/${name}.cpp
                              PROPERTIES COMPILE_OPTIONS "${kernel_flags};${ARGN}"
                                         SKIP_PRECOMPILE_HEADERS ON)
endfunction()
function(not_for_this_processor)
  list(TRANSFORM ARGN PREPEND ${CMAKE_SOURCE_DIR}/src/tensor/kernels/)
  set_source_files_properties(${ARGN} PROPERTIES HEADER_FILE_ONLY ON)
endfunction()
kernel_file(generic)
# No number in a search is NaN or infinite (tensor/quantize.cpp lets none in), so that a comparison and
# a choice are one instruction.
kernel_file(search_generic -ffinite-math-only -fno-signed-zeros)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  kernel_file(avx2 ${avx2_flags})
  kernel_file(search_avx2 -mavx2 -ffinite-math-only -fno-signed-zeros)
  kernel_file(avx2_vnni ${avx2_flags} -mavxvnni)
  kernel_file(avx512 ${avx512_flags})
  kernel_file(avx512_bf16 ${avx512_flags} -mavx512bf16)
  # Kernels that processors lack, for tests (kernels/emulated_test.h).
  set_source_files_properties(${dir}/kernels/emulated_avx2_vnni_test.cpp PROPERTIES
    COMPILE_OPTIONS "${kernel_flags};${avx2_flags}" SKIP_PRECOMPILE_HEADERS ON)
  set_source_files_properties(${dir}/kernels/emulated_avx512_test.cpp
    ${dir}/kernels/emulated_avx512_bf16_test.cpp PROPERTIES
    COMPILE_OPTIONS "${avx2_flags}" SKIP_PRECOMPILE_HEADERS ON)
else()
  not_for_this_processor(avx2.cpp avx2_vnni.cpp avx512.cpp avx512_bf16.cpp
                         emulated_avx512_test.cpp emulated_avx512_bf16_test.cpp
                         emulated_avx2_vnni_test.cpp search_avx2.cpp)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  kernel_file(neon_dotprod -march=armv8.2-a+dotprod)
  kernel_file(neon_i8mm -march=armv8.2-a+dotprod+i8mm)
else()
  not_for_this_processor(neon_dotprod.cpp neon_i8mm.cpp)
endif()
set_source_files_properties(${dir}/ops_test.cpp PROPERTIES COMPILE_DEFINITIONS
  "STRATA_KERNEL_OBJECTS=\"${CMAKE_BINARY_DIR}/CMakeFiles/strata_tensor.dir/src/tensor/kernels/*.o\"")
if(NOT STRATA_SANITIZE)
  set_source_files_properties(${dir}/quantize_small.cpp PROPERTIES COMPILE_OPTIONS "-O3")
endif()
