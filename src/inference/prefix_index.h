// What a file of computed beginnings says of itself: token sequences, and where the blocks of keys
// and values that belong to them stand. Byte by byte: docs/engine/prefix_file.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace strata::inference {

constexpr size_t kMaxPrefixPools = 16;

struct PrefixFileBlock {
  bool there = false;
  uint32_t crc32 = 0;
  uint64_t offset = 0;  // in the file
};

struct PrefixFileNode {
  int32_t parent = -1;                  // an earlier node, whose tokens are a full block; -1: none
  uint64_t scope = 0;                   // that of its parent
  std::vector<int32_t> tokens;          // 1 to kBlockPositions
  std::vector<PrefixFileBlock> blocks;  // per pool
};

struct PrefixIndex {
  std::string model;                  // whose beginnings these are, for people
  std::string identity;               // what must be the same for the values to be
  std::vector<uint64_t> block_bytes;  // per pool
  std::vector<PrefixFileNode> nodes;  // the latest used first

  int64_t n_tokens() const;
};

// The head of a file and the index behind it, as they are written; the blocks follow. Of the blocks
// `there` and `crc32` count. Error{resource_exhausted}: the index would be too large.
std::string index_bytes(const PrefixIndex& index);
// What a node takes of the index, and its blocks behind it.
uint64_t node_bytes(const PrefixFileNode& node);
uint64_t blocks_bytes(const PrefixFileNode& node, std::span<const uint64_t> block_bytes);

// The first bytes of a file, in front of the index.
constexpr size_t kPrefixHeadBytes = 24;
struct PrefixHead {
  uint32_t sum = 0;  // of the index
  uint64_t index_bytes = 0;
};
// Errors as parse_prefix_index.
PrefixHead parse_prefix_head(std::span<const std::byte> bytes, uint64_t file_bytes);
// What files keep of bytes, to see that they are still the same.
uint32_t prefix_sum(std::span<const std::byte> bytes);

// The index in the first bytes of a file of `file_bytes`; `bytes` may be longer than the index, and
// are checked before they are believed. Error{data_loss}: cut off or damaged;
// Error{failed_precondition}: another version of the format.
PrefixIndex parse_prefix_index(std::span<const std::byte> bytes, uint64_t file_bytes);

}  // namespace strata::inference
