// Where a place in a grammar leads whichever of many characters stands there, so that the tokens of
// a whole branch of the vocabulary are known to be allowed without a walk through them.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "inference/constraint/expression.h"
#include "inference/constraint/token_trie.h"

namespace strata::inference {

// Not thread-safe.
class Strides {
 public:
  explicit Strides(Expressions& x) : x_(x) {}

  // Whether `place` goes on with each token of the branch; if `open`, also without being over
  // anywhere on the way. False says nothing. Exact: found by derivatives alone.
  bool spans(ExprId place, const TokenTrie::Branch& branch, bool open);
  // Whether nearly every character leads to the same place.
  bool is_wide(ExprId place);
  size_t size_bytes() const { return strides_.size() * sizeof(Stride) + at_.size() * 4; }
  void clear();

 private:
  // Each of these characters leads to the same place.
  struct Stride {
    std::array<uint64_t, 2> ascii{};
    bool beyond_ascii = false;
    ExprId next = Expressions::kNothing;
  };
  Stride stride(ExprId place);
  Stride find(ExprId place);
  bool leads(ExprId place, ExprId next);

  Expressions& x_;
  std::vector<Stride> strides_;
  std::vector<int32_t> at_;  // by place: of strides_, or -1
};

}  // namespace strata::inference
