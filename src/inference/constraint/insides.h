// Of the blocks of a grammar which tokens stay inside, found when a text first gets to them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "inference/constraint/token_walk.h"

namespace strata::inference {

// Not thread-safe.
class Insides {
 public:
  // Both must outlive it.
  Insides(Expressions& x, const TokenTrie& trie) : x_(x), trie_(trie), walk_(x, trie), texts_(x) {}

  // What they have together is the block's: of its alternatives each. Until clear().
  std::span<const std::shared_ptr<const Inside>> of(ExprId block);
  // The same of one of Expressions::json_rules, among the tokens below a node. It is not regular,
  // but refers to nothing of the grammar.
  const Inside& of_json(ExprId rule, int32_t node);
  bool is_json(ExprId id) const;
  // What all grammars share on this vocabulary.
  void prepare_strings();
  TokenWalk& walk() { return walk_; }
  size_t size_bytes() { return kept_bytes_ + walk_.strides().size_bytes() + texts_.size_bytes(); }
  void clear();

 private:
  std::shared_ptr<const Inside> one(ExprId block);
  Inside make(ExprId block);
  const StringInside& string_tail(size_t i);
  std::optional<Inside> limited_string(ExprId block);

  Expressions& x_;
  const TokenTrie& trie_;
  TokenWalk walk_;
  BlockTexts texts_;
  std::unordered_map<ExprId, std::vector<std::shared_ptr<const Inside>>> known_;
  std::unordered_map<uint64_t, std::shared_ptr<const Inside>> json_;  // by rule and node
  size_t kept_bytes_ = 0;
};

}  // namespace strata::inference
