// Which characters a place in a grammar goes on with whatever was taken of them before, so that the
// tokens of a whole branch of the vocabulary are known to be allowed without a walk through them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "inference/constraint/expression.h"
#include "inference/constraint/token_trie.h"

namespace strata::inference {

// Characters: ASCII's, one bit each, and all others together.
struct Characters {
  std::array<uint64_t, 2> ascii{};
  bool beyond = false;

  bool has(const Characters& other) const {
    return (other.ascii[0] & ~ascii[0]) == 0 && (other.ascii[1] & ~ascii[1]) == 0 &&
           (beyond || !other.beyond);
  }
  int count() const;  // those beyond ASCII are one
  Characters without(const Characters& other) const;
  Characters operator|(const Characters& other) const;
};

// Not thread-safe.
class Strides {
 public:
  explicit Strides(Expressions& x) : x_(x) {}

  // Whether `place` goes on with each token of the branch; if `open`, also without being over
  // anywhere on the way. False says nothing. Exact: found by derivatives alone.
  bool spans(ExprId place, const TokenTrie::Branch& branch, bool open);
  // Whether it goes on with nearly every character.
  bool is_wide(ExprId place);
  size_t size_bytes() const;
  void clear();

 private:
  // Any text of these characters that is no longer than `longest` goes on.
  struct Stride {
    Characters of;
    int32_t longest = 0;
    bool over = false;  // some of them are whole texts
  };
  // Where one character leads.
  struct Way {
    ExprId next;
    Characters of;
  };
  struct Ways {
    int32_t first = -1, n = 0;  // of ways_; -1: not known
    Characters all;             // of them
  };

  const Stride& stride(ExprId place);
  Stride find(ExprId place);
  // What has to be left out of `stride` so that it holds further on; sets its length.
  Characters too_much(ExprId place, Stride& stride);
  const Ways& ways(ExprId place);
  std::span<const Way> list(const Ways& ways) const {
    return std::span(ways_).subspan(static_cast<size_t>(ways.first), static_cast<size_t>(ways.n));
  }
  std::vector<ExprId> beyond_ascii(ExprId place);

  Expressions& x_;
  std::vector<Stride> strides_;
  std::vector<int32_t> stride_at_;  // by place: of strides_, or -1
  std::vector<Way> ways_;
  std::vector<Ways> ways_at_;  // by place
};

}  // namespace strata::inference
