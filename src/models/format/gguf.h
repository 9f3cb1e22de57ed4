// GGUF: a memory-mapped model file, versions 2 and 3, split files included. Specification:
// docs/formats.md.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "models/format/model_file.h"

namespace strata::models {

// Opens one file, or all parts of a split model when given its first part.
// Errors: not_found, invalid_argument (malformed, with byte offset), unimplemented (version, byte
// order, tensor type).
std::shared_ptr<const ModelFile> open_gguf(const std::filesystem::path& path);
// The same checks on bytes in memory (tests, fuzzing); `bytes` must outlive the object.
std::shared_ptr<const ModelFile> parse_gguf(std::span<const std::byte> bytes);

}  // namespace strata::models
