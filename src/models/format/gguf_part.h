// Reads and checks one GGUF file in memory. Used by open_gguf, which joins the parts of a model.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "models/format/model_file.h"

namespace strata::models {

struct GgufPart {
  uint32_t version = 0;
  std::vector<MetaValue> values;    // in file order; keys are unique
  std::vector<TensorInfo> tensors;  // in file order; names are unique, data does not overlap
};

// All views point into `bytes`. Errors: those of open_gguf.
GgufPart parse_gguf_part(std::span<const std::byte> bytes);

// For messages: what came from a file, made printable and cut to 80 bytes.
std::string printable(std::string_view text);

}  // namespace strata::models
