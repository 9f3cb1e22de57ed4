// Models whose weights are a formula of tensor name and element index, for tests: a fixture then
// holds a configuration and expected numbers, no weights. tests/oracle/formula.py has the twin.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "models/format/gguf_builder.h"

namespace strata::models {

// Weight `index` (row-major, GGUF order) of a tensor whose rows have `cols` weights, a bfloat16.
// u = uniform in [-1, 1) from SplitMix64 at FNV-1a(name) + index * golden ratio; then
//   *norm.weight: 1 + u/4    *.bias: u/4    *.ssm_a: u/2 - 1    rope_freqs.weight: 2 + u    else: u
//   * sqrt(3 / cols).
std::vector<float> formula_weights(std::string_view name, uint64_t cols, uint64_t rows);

void add_formula_tensor(GgufBuilder& builder, std::string_view name, uint64_t cols, uint64_t rows);

// {"metadata": {key: value, …}, "tensors": {name: [cols, rows, …] or [n], …}}. Whole numbers become
// u32 or i32, others f32; lists become arrays of strings, bools, i32 or f32. All tensors are f32.
GgufBuilder formula_model(const json::object& description);

// A right and tiny model for tests that break one thing: architecture llama, 2 layers of 32, 4
// heads on 2, 48 tokens with an SPM-like list, rope on 8 dimensions.
GgufBuilder tiny_llama();
// The same of an encoder: architecture bert, 2 layers of 32, 4 heads, 64 positions, 2 token types,
// with a head of one score where `ranks`. Its vocabulary has "▁" and the letters; a text is
// <s> ▁ letters </s>.
GgufBuilder tiny_bert(bool ranks = false);

}  // namespace strata::models
