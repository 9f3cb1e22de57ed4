// A file of computed beginnings: token sequences and the blocks of keys and values that belong to
// them (prefix_index.h). What is read is checked before it is believed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/os.h"
#include "inference/prefix_index.h"

namespace strata::inference {

// The bytes of one block; valid until the next call.
using BlockBytes = std::function<std::span<const std::byte>(size_t node, size_t pool)>;
// Writes the file beside `path` and renames it, readable for its owner only. Fills in the sums.
// One writer at a time (PrefixFolder::lock). Errors: those of File and of `block`; then what stood
// there stands there still.
void write_prefix_file(const fs::path& path, PrefixIndex index, const BlockBytes& block);

// An open file; it can be read as long as this lives, whatever becomes of its name.
class PrefixFile {
 public:
  // Reads and checks the index. Errors: those of File::open; data_loss (cut off or damaged);
  // failed_precondition (another version of the format).
  static PrefixFile open(const fs::path& path);

  const PrefixIndex& index() const { return index_; }
  uint64_t size_bytes() const { return size_bytes_; }
  const fs::path& path() const { return path_; }
  // The nodes below a node, or below the beginning of a scope.
  std::span<const int32_t> children(int32_t node) const {
    return children_[static_cast<size_t>(node)];
  }
  std::span<const int32_t> beginnings(uint64_t scope) const;

  // Error{data_loss} when the bytes are not those that were written.
  void read_block(size_t node, size_t pool, std::span<std::byte> into);

 private:
  PrefixFile(fs::path path, File file) : path_(std::move(path)), file_(std::move(file)) {}

  fs::path path_;
  File file_;
  uint64_t size_bytes_ = 0;
  PrefixIndex index_;
  std::vector<std::vector<int32_t>> children_;
  std::map<uint64_t, std::vector<int32_t>> beginnings_;
};

}  // namespace strata::inference
