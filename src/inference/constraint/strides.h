// Which characters a place in a grammar goes on with whatever was taken of them before, so that the
// tokens of a whole branch of the vocabulary are known to be allowed without a walk through them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "inference/constraint/characters.h"
#include "inference/constraint/expression.h"
#include "inference/constraint/token_trie.h"

namespace strata::inference {

// Any text of the characters `of` that is no longer than `longest` goes on. Exact.
struct Stride {
  Characters of;
  Characters others;  // that something of such a text goes on with, beside them
  int32_t longest = 0;
  bool over = false;  // some of them are whole texts
  bool ends = false;  // none that is longer goes on

  // Whether it is known of every token of the branch if it goes on behind `before` bytes of these
  // characters: where it has no others, and is not too long.
  bool decides(const TokenTrie::Branch& branch, int32_t before) const {
    return (branch.of & others).empty() && (ends || before + branch.characters <= longest) &&
           !(branch.broken && (of.beyond || others.beyond));
  }
};

// Not thread-safe.
class Strides {
 public:
  explicit Strides(Expressions& x) : x_(x) {}

  // Whether `place` goes on with each token of the branch, which has many; if `open`, also without
  // being over anywhere on the way. False says nothing. Exact: found by derivatives alone.
  bool spans(ExprId place, const TokenTrie::Branch& branch, bool open);
  // Whether it goes on with nearly every character.
  bool is_wide(ExprId place);
  // Of a place that goes on with many characters; else null. Until the next call of anything here.
  const Stride* wide_stride(ExprId place);
  // Whether that holds for nearly every token and nothing of it is a whole text.
  bool reaches_far(ExprId place);
  // Whether texts of many characters may be over anywhere.
  bool is_open(ExprId place);
  size_t size_bytes() const;
  void clear();

 private:
  // Where one character leads.
  struct Way {
    ExprId next;
    Characters of;
  };
  struct Ways {
    int32_t first = 0, n = 0;  // of ways_
    Characters all;            // of them
    Characters some;           // and those of which only some go on
  };

  const Stride& stride(ExprId place);
  Stride find(ExprId place);
  // A place that goes on as another does with texts of so many characters.
  struct Likeness {
    ExprId place;
    int32_t characters;
  };
  std::optional<Likeness> endless(ExprId place);
  Characters kept_at_first(ExprId place, Characters of);
  // A place that texts of some characters lead to.
  struct Seen {
    ExprId place;
    Characters by;  // the last of each that leads there
    int32_t depth;  // characters of the shortest
  };
  static constexpr int32_t kEndless = 255;  // characters; no token has more
  // How far texts of some characters go on.
  struct Reach {
    std::vector<Seen> seen;  // nearest first
    Characters left_out;     // without these they go on further; else the others are found
    int32_t longest = kEndless;
    bool level = true;  // each place is as far as any text that leads there is long
    bool over = false;  // as in Stride
    bool ends = false;
  };
  Reach reach_of(ExprId place, const Characters& of);
  Characters better_left_out(const Seen& here, const Characters& of);
  bool add_behind(const Seen& here, const Characters& of, Reach& reach);
  bool ends_at(size_t i, const Characters& of, const Reach& reach);
  Characters others_than(const Characters& of, const Reach& reach);
  const Ways& ways(ExprId place);
  std::span<const Way> list(const Ways& ways) const {
    return std::span(ways_).subspan(static_cast<size_t>(ways.first), static_cast<size_t>(ways.n));
  }
  std::span<const ExprId> beyond_ascii(ExprId place);
  Characters first_characters(ExprId place);

  Expressions& x_;
  // Of characters beyond ASCII, by kind and place, a byte of each that are told apart.
  std::vector<std::vector<std::vector<uint8_t>>> beyond_;
  std::vector<ExprId> all_beyond_, some_beyond_, next_beyond_;  // memory of beyond_ascii() alone
  std::vector<Stride> strides_;
  std::vector<int32_t> stride_at_;  // by place: of strides_, or -1
  std::vector<Way> ways_;
  std::vector<Ways> all_ways_;
  std::vector<int32_t> ways_at_;  // by place: of all_ways_, or -1
};

}  // namespace strata::inference
