"""Writes src/tensor/iq_tables.cpp: the code books of the IQ types, which are part of the GGUF
format, from the tables of the gguf package.
usage: iq_tables.py > src/tensor/iq_tables.cpp"""
import gguf
import numpy as np

BOOKS = [("kIq2XxsGrid", "uint8_t", "IQ2_XXS", 2), ("kIq2XsGrid", "uint8_t", "IQ2_XS", 2),
         ("kIq2SGrid", "uint8_t", "IQ2_S", 2), ("kIq3XxsGrid", "uint8_t", "IQ3_XXS", 3),
         ("kIq3SGrid", "uint8_t", "IQ3_S", 3), ("kIq1Grid", "int8_t", "IQ1_S", 2)]

HEAD = """// Written by tests/oracle/iq_tables.py from the tables of gguf VERSION, not by hand.
#include "tensor/iq_tables.h"

namespace strata::tensor {
namespace {

// Spreads packed entries: value i of an entry is choices[bits i*n_bits and up].
template <int n_bits, typename T, size_t n_values, size_t n_entries, size_t n_choices>
constexpr CodeBook<T, n_values, n_entries> spread(const std::array<uint16_t, n_entries>& packed,
                                                  const std::array<T, n_choices>& choices) {
  CodeBook<T, n_values, n_entries> book{};
  for (size_t entry = 0; entry < n_entries; ++entry) {
    for (size_t i = 0; i < n_values; ++i) {
      book[entry][i] = choices[(packed[entry] >> (i * n_bits)) & ((1u << n_bits) - 1u)];
    }
  }
  return book;
}
"""


def packed_entries(quant, n_bits):
    quant.init_grid()
    values = np.asarray(quant.grid).reshape(quant.grid_shape)
    index = {float(value): i for i, value in enumerate(quant.grid_map)}
    for entry in values:
        yield sum(index[float(value)] << (i * n_bits) for i, value in enumerate(entry))


def rows(numbers, per_row=12):
    numbers = [f"0x{n:04x}," for n in numbers]
    for at in range(0, len(numbers), per_row):
        yield "    " + " ".join(numbers[at:at + per_row])


def main():
    from importlib.metadata import version
    print(HEAD.replace("VERSION", version("gguf")))
    for name, _, qtype, n_bits in BOOKS:
        entries = list(packed_entries(getattr(gguf.quants, qtype), n_bits))
        print(f"constexpr std::array<uint16_t, {len(entries)}> {name}Packed{{")
        print("\n".join(rows(entries)))
        print("};\n")
    print("}  // namespace\n")
    for name, c_type, qtype, n_bits in BOOKS:
        quant = getattr(gguf.quants, qtype)
        n_entries, n_values = quant.grid_shape
        choices = ", ".join(str(v) for v in quant.grid_map)
        print(f"constexpr CodeBook<{c_type}, {n_values}, {n_entries}> {name} =\n"
              f"    spread<{n_bits}, {c_type}, {n_values}>({name}Packed,\n"
              f"                               std::array<{c_type}, {len(quant.grid_map)}>"
              f"{{{choices}}});")
    print("\n}  // namespace strata::tensor")


main()
