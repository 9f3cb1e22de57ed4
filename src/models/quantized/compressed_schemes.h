// What the `config_groups` of compressed-tensors say of weights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/quantized/float8_rows.h"
#include "models/quantized/settings.h"

namespace strata::models {

struct CompressedScheme {
  bool is_integer = true;  // else E4M3
  uint64_t bits = 8;
  bool has_zeros = false;
  enum class Scales : uint8_t { one, of_rows, of_groups, of_blocks } scales = Scales::of_rows;
  uint64_t group_cols = 0;  // of_groups
  ScaleBlock block;         // of_blocks
  bool has_activations = false;

  std::string text() const;  // "4-bit integers in groups of 128"
};

// Error{unimplemented, invalid_argument} with the field: a format, a status, a kind of scale or of
// number that is not supported.
std::vector<CompressedScheme> read_schemes(const Settings& settings);

}  // namespace strata::models
