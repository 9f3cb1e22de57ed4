// Partitions of bytes: those of one group lead to the same place.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "inference/constraint/byte_set.h"
#include "inference/constraint/characters.h"

namespace strata::inference {

// Not thread-safe.
class ByteGroups {
 public:
  struct Group {
    uint8_t byte = 0;  // one of them
    Characters of;
  };
  static constexpr int32_t kOne = 0;     // all bytes are one group
  static constexpr int32_t kFinest = 1;  // a group each class

  // `classes`: bytes that no set tells apart.
  void set_classes(const std::array<uint8_t, 256>& classes, size_t n_classes);
  // The set and the others.
  int32_t of(const ByteSet& set);
  // What either tells apart; perhaps more.
  int32_t meet(int32_t a, int32_t b);

  size_t group(int32_t partition, uint8_t byte) const {
    return table_[static_cast<size_t>(partition) * classes_.size() + class_of_[byte]];
  }
  size_t n_groups(int32_t partition) const { return n_groups_[static_cast<size_t>(partition)]; }
  std::vector<Group> groups(int32_t partition) const;
  // One byte of each, in place of what `bytes` has.
  void representatives(int32_t partition, std::vector<uint8_t>& bytes) const;

 private:
  std::span<const uint8_t> by_class(int32_t partition) const {
    return std::span(table_).subspan(static_cast<size_t>(partition) * classes_.size(),
                                     classes_.size());
  }
  int32_t find_meet(int32_t a, int32_t b);
  int32_t keep(std::span<const uint8_t> by_class, size_t n);

  std::array<uint8_t, 256> class_of_{};
  std::vector<Group> classes_;
  std::vector<uint8_t> table_;  // by partition and class: groups as they come
  std::vector<uint16_t> n_groups_;
  struct Met {
    int32_t a = -1, b = -1, both = -1;
  };
  std::array<Met, 256> met_{};  // by a and b; the last of each place
};

}  // namespace strata::inference
