// Of the blocks of a grammar which tokens stay inside, found when a text first gets to them.
#pragma once

#include <optional>
#include <unordered_map>

#include "inference/constraint/token_walk.h"

namespace strata::inference {

// Not thread-safe.
class Insides {
 public:
  // Both must outlive it.
  Insides(Expressions& x, const TokenTrie& trie) : x_(x), trie_(trie), walk_(x, trie) {}

  // Until clear().
  const Inside& of(ExprId block);
  // What all grammars share on this vocabulary.
  void prepare_strings();
  TokenWalk& walk() { return walk_; }
  size_t size_bytes() { return kept_bytes_ + walk_.strides().size_bytes(); }
  void clear();

 private:
  Inside make(ExprId block);
  const StringInside& string_tail(size_t i);
  std::optional<Inside> limited_string(ExprId block);

  Expressions& x_;
  const TokenTrie& trie_;
  TokenWalk walk_;
  std::unordered_map<ExprId, Inside> known_;
  size_t kept_bytes_ = 0;
};

}  // namespace strata::inference
