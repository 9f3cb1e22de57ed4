// A trie over bytes: which tokens begin at a place of a text, in one walk. Edges are slots of one
// flat hash table (8 bytes each), so that a vocabulary of 250,000 pieces takes about 15 MB.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "models/tokenizer/tokenizer.h"

namespace strata::models {

class ByteTrie {
 public:
  static constexpr int32_t kRoot = 0;

  ByteTrie() { roots_.fill(-1); }
  // The last of two tokens with the same bytes holds; empty texts are not kept.
  // Errors: invalid_argument when the tokens together have too many bytes for the table.
  void insert(std::string_view text, TokenId id);

  // The node behind `byte`, or -1.
  int32_t child(int32_t node, uint8_t byte) const {
    if (node == kRoot) return roots_[byte];
    const auto parent = static_cast<uint32_t>(node);
    for (uint64_t at = slot_of(parent, byte);; ++at) {
      const Edge edge = edges_[at & mask_];
      if (edge.parent == 0) return -1;
      if (edge.parent == parent && edge.target >> 24 == byte) {
        return static_cast<int32_t>(edge.target & kMaxNodes);
      }
    }
  }
  // The token that ends at this node, or -1.
  TokenId token(int32_t node) const { return tokens_[static_cast<size_t>(node)]; }

 private:
  static constexpr uint32_t kMaxNodes = (1u << 24) - 1;
  struct Edge {
    uint32_t parent = 0;  // 0: free; the root's edges stand in roots_
    uint32_t target = 0;  // byte << 24 | child
  };

  uint64_t slot_of(uint32_t parent, uint8_t byte) const {
    return ((static_cast<uint64_t>(parent) << 8 | byte) * 0x9E3779B97F4A7C15u) >> shift_;
  }
  int32_t add_child(int32_t node, uint8_t byte);
  void put(Edge edge);
  void grow();

  std::array<int32_t, 256> roots_;
  std::vector<Edge> edges_ = std::vector<Edge>(64);
  std::vector<TokenId> tokens_ = std::vector<TokenId>(1, -1);  // one a node
  size_t n_edges_ = 0;
  uint64_t mask_ = 63;
  uint32_t shift_ = 64 - 6;
};

}  // namespace strata::models
