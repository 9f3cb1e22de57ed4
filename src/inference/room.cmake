# The judge's matrix product is plain C++ that the compiler vectorises.
set_source_files_properties(${dir}/float32_ops.cpp PROPERTIES COMPILE_OPTIONS "-O3")
