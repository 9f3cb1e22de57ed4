// Writes a GGUF file piece by piece, never whole in memory: the head first, then each tensor's
// bytes in order. Nothing stands under its name until all of it is on disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/made_folders.h"
#include "core/os.h"
#include "models/format/gguf_builder.h"

namespace strata::models {

class GgufWriter {
 public:
  // `head`: the metadata, and the tensors in their order without data.
  // Error{invalid_argument} when a tensor's row is no whole number of blocks.
  GgufWriter(std::filesystem::path path, GgufBuilder head);
  GgufWriter(const GgufWriter&) = delete;
  GgufWriter& operator=(const GgufWriter&) = delete;
  ~GgufWriter();  // what was not finished is removed, with the folders that were made for it

  uint64_t file_bytes() const { return file_bytes_; }  // that the whole file will have

  // Makes a temporary file beside the path, which a crash may leave and the next begin takes over,
  // and writes the head. Error{resource_exhausted} when the disk has less free than file_bytes,
  // Error{unavailable} when another process writes this file.
  void begin();
  // The next bytes of the tensors' data; padding between tensors is put in here.
  void write(std::span<const std::byte> bytes);
  // After the last byte: on disk, then under its name. CHECKs that nothing is missing.
  void finish();

 private:
  void pad();

  std::filesystem::path path_, temporary_;
  std::vector<std::byte> head_;
  uint64_t alignment_ = 0;
  std::vector<uint64_t> sizes_;  // of the tensors
  uint64_t file_bytes_ = 0;
  size_t tensor_ = 0;     // that is being written
  uint64_t written_ = 0;  // bytes of it
  std::optional<MadeFolders> made_;
  std::optional<File> file_;
  std::optional<FileLock> lock_;
};

}  // namespace strata::models
