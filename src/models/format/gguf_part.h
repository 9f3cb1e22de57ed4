// Reads and checks one GGUF file in memory. Used by GgufFile, which joins the parts of a model.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "models/format/gguf.h"

namespace strata::models {

struct GgufPart {
  uint32_t version = 0;
  std::vector<GgufValue> values;    // in file order; keys are unique
  std::vector<TensorInfo> tensors;  // in file order; names are unique, data does not overlap
};

// All views point into `bytes`. Errors: those of GgufFile::open.
GgufPart parse_gguf_part(std::span<const std::byte> bytes);

// Bytes of one element of a scalar type; 0 for string and array.
size_t gguf_scalar_bytes(GgufType type);
// "u32", "string"; "type 77" for an id that is none.
std::string gguf_type_name(uint32_t type);
// For messages: what came from a file, made printable and cut to 80 bytes.
std::string printable(std::string_view text);

}  // namespace strata::models
