// Walks through a vocabulary's tree with the derivatives of a place: which tokens it goes on with.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "inference/constraint/strides.h"
#include "inference/constraint/token_mask.h"
#include "inference/constraint/token_trie.h"

namespace strata::inference {

// Not thread-safe.
class TokenWalk {
 public:
  TokenWalk(Expressions& x, const TokenTrie& trie);

  // Adds the tokens below a node that `place`, which is where the node's bytes lead, goes on with.
  // With `crossings` also the nodes with children behind which the place may be over.
  void walk(ExprId place, int32_t node, TokenBits& bits, std::vector<int32_t>* crossings);
  Inside walk_inside(ExprId block, int32_t node = 0);
  // The same, of a block that soon leads where `base` leads, of which it is known: looks only at
  // what differs.
  Inside walk_beside(ExprId block, ExprId base, const Inside& known);
  // Whether the block is base's texts but for some: where it leads elsewhere is known then.
  bool lacks_some(ExprId block, ExprId base) { return differing(block, base).has_value(); }
  // As walk_inside(), of a string's end `base` = block(repeat(character), quote): there, what
  // follows a whole character is `base` again.
  StringInside walk_string(ExprId base);

  Strides& strides() { return strides_; }

 private:
  class OwnStride;
  bool step(int32_t node, OwnStride& own, TokenBits& bits, std::vector<int32_t>* crossings);
  bool spread(ExprId place, int32_t node, TokenBits& bits, std::vector<int32_t>* crossings);
  void walk_spots(ExprId place, int32_t node, const Stride& stride, TokenBits& bits,
                  std::vector<int32_t>* crossings);
  void look_at_spots(const TokenTrie::Spots& spots, ExprId place, int32_t node,
                     const Characters& of, const auto& look);
  std::optional<std::vector<int32_t>> few_with(const Characters& some,
                                               const TokenTrie::Branch* branch) const;
  void try_token(ExprId place, size_t depth, int32_t token, TokenBits& bits,
                 std::vector<int32_t>* crossings);
  std::optional<ByteSet> differing(ExprId place, ExprId base);
  const TokenTrie::Branch* branch_of(const TokenTrie::Node& node) const;
  void add(const TokenTrie::Node& at, TokenBits& bits) const;

  Expressions& x_;
  const TokenTrie& trie_;
  Strides strides_;
  std::vector<ExprId> path_, other_path_;  // by depth of the walk
  std::vector<ByteSet> first_;             // bytes that the path may go on with
  std::vector<std::optional<ByteSet>> differing_;
  TokenBits no_tokens_;  // the memory of the last walk's, of which few were left
};

}  // namespace strata::inference
