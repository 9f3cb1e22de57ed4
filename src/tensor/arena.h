// Buffers that lie side by side in few large mappings: small ones alone would have no huge pages,
// and a step that reads all weights would miss the TLB at every page of 4 KiB.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "tensor/buffer.h"

namespace strata::tensor {

// Not thread-safe; a buffer keeps the memory that it lies in.
class Arena {
 public:
  Arena() = default;
  // Memory that `owner` keeps and that holds already what its takers would write, in the order of
  // their takes: the parts() of an earlier arena, one behind the other.
  Arena(std::shared_ptr<const void> owner, std::span<const std::byte> content);

  // 64-byte aligned, zeroed unless filled(). Errors: those of Buffer; data_loss when a filled one
  // is at its end.
  Buffer take(size_t size_bytes);
  bool filled() const { return filled_; }
  // Error{data_loss} when a filled one holds more than was taken.
  void check_end() const;

  // What was taken so far, in order; each a multiple of 64 bytes.
  std::span<const std::span<const std::byte>> parts() const { return parts_; }

 private:
  std::shared_ptr<const void> owner_;
  std::span<const std::byte> left_;  // of the present block
  bool filled_ = false;
  std::vector<std::span<const std::byte>> parts_;
};

}  // namespace strata::tensor
