#include "inference/constraint/token_walk.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <optional>
#include <utility>

namespace strata::inference {
namespace {

constexpr ExprId kNothing = Expressions::kNothing;
constexpr ExprId kEmpty = Expressions::kEmpty;
constexpr size_t kFewTokens = 512;  // are kept as a list

size_t count(const TokenBits& bits) {
  size_t n = 0;
  for (const uint64_t word : bits) {
    if (word != 0) n += static_cast<size_t>(std::popcount(word));
  }
  return n;
}

// Calls `each` with every token until it says no. Most words are empty: several are passed by at
// once.
void for_each(const TokenBits& bits, const auto& each) {
  constexpr size_t kAtOnce = 8;
  for (size_t begin = 0; begin < bits.size(); begin += kAtOnce) {
    const size_t end = std::min(begin + kAtOnce, bits.size());
    uint64_t any = 0;
    for (size_t word = begin; word < end; ++word) any |= bits[word];
    if (any == 0) continue;
    for (size_t word = begin; word < end; ++word) {
      for (uint64_t left = bits[word]; left != 0; left &= left - 1) {
        if (!each(static_cast<int32_t>(word * 64 + static_cast<size_t>(std::countr_zero(left))))) {
          return;
        }
      }
    }
  }
}

// As a list where they are few: then nothing is left of them. False: they are many. Any is one of
// `among`, unless that is empty.
bool take_few(TokenBits& bits, std::span<const int32_t> among, std::vector<int32_t>& few) {
  const auto take = [&](int32_t token) {
    few.push_back(token);
    return few.size() <= kFewTokens;
  };
  if (among.empty() || among.size() * 2 > bits.size()) {
    for_each(bits, take);
  } else {
    for (const int32_t token : among) {
      if (has(bits, token) && !take(token)) break;
    }
  }
  if (few.size() > kFewTokens) {
    few = {};
    return false;
  }
  for (const int32_t token : few) forbid(bits, token);
  return true;
}

}  // namespace

TokenWalk::TokenWalk(Expressions& x, const TokenTrie& trie)
    : x_(x),
      trie_(trie),
      strides_(x),
      path_(TokenTrie::kLongestToken + 1),
      other_path_(TokenTrie::kLongestToken + 1),
      first_(TokenTrie::kLongestToken + 1),
      differing_(TokenTrie::kLongestToken + 1) {}

void TokenWalk::add(const TokenTrie::Node& at, TokenBits& bits) const {
  trie_.each_token(at, [&](int32_t token) { allow(bits, token); });
}

const TokenTrie::Branch* TokenWalk::branch_of(const TokenTrie::Node& node) const {
  return node.branch < 0 ? nullptr : &trie_.branches()[static_cast<size_t>(node.branch)];
}

// A place's own stride, whose tokens are found in their groups: what is left to look at are those
// that begin so and go on with something else.
class TokenWalk::OwnStride {
 public:
  explicit OwnStride(const Stride* stride) : left_(stride != nullptr ? kNever : 0) {
    if (stride != nullptr) stride_ = *stride;
  }
  // Whether all below the node is known by it.
  bool decides(const TokenTrie::Node& at, const TokenTrie::Branch* branch) {
    if (!stride_ || at.depth > left_) return false;
    if (branch != nullptr && stride_->decides(*branch, at.depth - 1)) return true;
    left_ = stride_->of.has(at.byte) ? kNever : at.depth;
    return false;
  }
  bool is_left() const { return left_ != kNever; }
  const std::optional<Stride>& stride() const { return stride_; }

 private:
  static constexpr int kNever = TokenTrie::kLongestToken + 1;
  std::optional<Stride> stride_;
  int left_;  // at which depth the path has left it
};

void TokenWalk::walk(ExprId place, int32_t node, TokenBits& bits, std::vector<int32_t>* crossings) {
  if (place == kEmpty || place == kNothing || spread(place, node, bits, crossings)) return;
  const TokenTrie::Node& top = trie_.nodes()[static_cast<size_t>(node)];
  const Stride* wide = node == 0 ? strides_.wide_stride(place) : nullptr;
  OwnStride own(wide != nullptr && !(crossings != nullptr && wide->over) ? wide : nullptr);
  if (const auto& stride = own.stride()) {
    unite(bits, *trie_.groups().tokens_of(stride->of, stride->longest));
  }
  path_[top.depth] = place;
  first_[top.depth] = x_.first_bytes(place);
  trie_.each_below(
      node, [&](size_t depth) { return first_[depth]; },
      [&](int32_t below) { return step(below, own, bits, crossings); });
}

// Takes the path on to a node. False: nothing is to be looked at below it.
inline bool TokenWalk::step(int32_t node, OwnStride& own, TokenBits& bits,
                            std::vector<int32_t>* crossings) {
  const TokenTrie::Node& at = trie_.nodes()[static_cast<size_t>(node)];
  const TokenTrie::Branch* branch = branch_of(at);
  if (own.decides(at, branch)) return false;
  const ExprId before = path_[at.depth - 1u];
  const ExprId next = x_.derivative(before, at.byte);
  if (next == kNothing) return false;
  if (own.is_left() && branch != nullptr && strides_.spans(before, *branch, crossings != nullptr)) {
    for (const int32_t token : trie_.tokens(*branch)) allow(bits, token);
    return false;
  }
  add(at, bits);
  if (at.end == node + 1) return false;
  if (crossings != nullptr && x_.nullable(next)) crossings->push_back(node);
  path_[at.depth] = next;
  first_[at.depth] = x_.first_bytes(next);
  // It may walk from nodes below this one, which writes the path deeper than here only: the walk
  // that this is a part of goes on behind the node, from what is less deep.
  if (at.depth == 1 && spread(next, node, bits, crossings)) return false;
  return next != kEmpty;
}

// As walk(), where the place goes on with whole groups of tokens, and only few tokens of the many
// below the node are left to be looked at. False: nothing is done.
bool TokenWalk::spread(ExprId place, int32_t node, TokenBits& bits,
                       std::vector<int32_t>* crossings) {
  constexpr int32_t kMany = 64;  // tokens: to look for a stride costs about as much as these
  const TokenTrie::Node& top = trie_.nodes()[static_cast<size_t>(node)];
  const TokenTrie::Branch* branch = branch_of(top);
  if (top.depth > 1 || (node != 0 && branch == nullptr)) return false;
  if (branch != nullptr && branch->end - branch->first < kMany) return false;
  const Stride* wide = strides_.wide_stride(place);
  if (wide == nullptr || (crossings != nullptr && wide->over)) return false;
  const bool far = wide->ends || wide->longest >= TokenTrie::kLongText;
  if (!far) return false;
  if (branch != nullptr && !wide->of.has(top.byte)) return false;
  const Stride stride = *wide;
  // Where tokens have these is not listed: each that has one is tried.
  const auto unlisted = few_with(TokenTrie::without_spots(stride.others), branch);
  if (!unlisted) return false;
  const auto found = trie_.groups().tokens_of(stride.of, stride.longest + top.depth);
  if (branch == nullptr) {
    unite(bits, *found);
  } else {
    for (const int32_t token : trie_.tokens(*branch)) {
      if (has(*found, token)) allow(bits, token);
    }
  }
  for (const int32_t token : *unlisted) try_token(place, top.depth, token, bits, crossings);
  walk_spots(place, node, stride, bits, crossings);
  return true;
}

// The tokens, below the branch where there is one, that have any of the characters; nothing: they
// are so many that a walk to all is shorter.
std::optional<std::vector<int32_t>> TokenWalk::few_with(const Characters& some,
                                                        const TokenTrie::Branch* branch) const {
  constexpr size_t kFewOf = 2;
  std::vector<int32_t> found;
  if (some.empty()) return found;
  if (branch != nullptr) {
    if ((some & branch->of).empty()) return found;
    const std::span<const int32_t> all = trie_.tokens(*branch);
    std::ranges::copy_if(all, std::back_inserter(found),
                         [&](int32_t token) { return trie_.groups().has(token, some); });
    return found.size() * kFewOf <= all.size() ? std::optional(found) : std::nullopt;
  }
  const TokenBits bits = trie_.groups().tokens_with(some);
  if (count(bits) * kFewOf > static_cast<size_t>(trie_.n_tokens())) return std::nullopt;
  for_each(bits, [&](int32_t token) {
    found.push_back(token);
    return true;
  });
  return found;
}

// A token whose first `depth` bytes lead to the place.
void TokenWalk::try_token(ExprId place, size_t depth, int32_t token, TokenBits& bits,
                          std::vector<int32_t>* crossings) {
  const std::string_view text = trie_.bytes(token);
  for (size_t i = depth; i < text.size(); ++i) {
    place = x_.derivative(place, static_cast<uint8_t>(text[i]));
    if (place == kNothing) return;
    if (crossings != nullptr && i + 1 < text.size() && x_.nullable(place)) {
      crossings->push_back(trie_.node_of(text.substr(0, i + 1)));
    }
  }
  allow(bits, token);
}

// Of the tokens below the node that are not wholly of the stride's characters: to where each has
// the first other one, or is long, or has a part of a character.
void TokenWalk::walk_spots(ExprId place, int32_t node, const Stride& stride, TokenBits& bits,
                           std::vector<int32_t>* crossings) {
  const auto look_at = [&](const TokenTrie::Spots& spots, bool below) {
    look_at_spots(spots, place, node, stride.of, [&](ExprId here, int32_t spot) {
      const TokenTrie::Node& at = trie_.nodes()[static_cast<size_t>(spot)];
      add(at, bits);
      const bool has_children = at.end > spot + 1;
      if (crossings != nullptr && has_children && x_.nullable(here)) crossings->push_back(spot);
      if (below && has_children) walk(here, spot, bits, crossings);
    });
  };
  for (uint8_t c = 0; c < 128; ++c) {
    if (stride.others.has(c)) look_at(trie_.spots_of(c), true);
  }
  look_at(trie_.long_texts(), true);
  if (stride.of.beyond) look_at(trie_.broken(), false);
  if (crossings == nullptr) return;
  std::ranges::sort(*crossings);
  const auto twice = std::ranges::unique(*crossings);
  crossings->erase(twice.begin(), twice.end());
}

// Calls `look` with where the place goes on to by a spot's bytes, of which all but the last are
// `of`: what has another is found at that, or does not go on. Spots share most of their bytes with
// the ones before.
void TokenWalk::look_at_spots(const TokenTrie::Spots& spots, ExprId place, int32_t node,
                              const Characters& of, const auto& look) {
  const TokenTrie::Node& top = trie_.nodes()[static_cast<size_t>(node)];
  std::array<ExprId, TokenTrie::kLongestToken + 1> path;  // by bytes, of which `known` are
  path[0] = place;
  size_t known = 0;
  const auto first = std::ranges::upper_bound(spots.all, node, {}, &TokenTrie::Spot::node);
  for (auto spot = first; spot != spots.all.end() && spot->node < top.end; ++spot) {
    known = std::min<size_t>(known, std::max(spot->shared, top.depth) - top.depth);
    if (path[known] == kNothing) continue;
    const auto i = static_cast<size_t>(spot - spots.all.begin());
    const std::string_view text = spots.bytes(i).substr(top.depth);
    while (known + 1 < text.size() && path[known] != kNothing) {
      const auto byte = static_cast<uint8_t>(text[known]);
      path[known + 1] = of.has(byte) ? x_.derivative(path[known], byte) : kNothing;
      ++known;
    }
    if (path[known] == kNothing) continue;
    const ExprId here = x_.derivative(path[known], static_cast<uint8_t>(text.back()));
    if (here != kNothing) look(here, spot->node);
  }
}

Inside TokenWalk::walk_inside(ExprId block, int32_t node) {
  Inside result;
  TokenBits bits = std::exchange(no_tokens_, {});
  bits.resize(trie_.n_words());
  walk(block, node, bits, &result.crossings);
  // A look through all of the vocabulary's words took half of a mask's time where values may begin
  // behind many nodes.
  const TokenTrie::Branch* branch = branch_of(trie_.nodes()[static_cast<size_t>(node)]);
  const auto below = branch == nullptr ? std::span<const int32_t>() : trie_.tokens(*branch);
  if (!take_few(bits, below, result.ids)) {
    result.bits = std::move(bits);
  } else {
    no_tokens_ = std::move(bits);
  }
  return result;
}

// Of two places, a string's end and the same without some texts: the bytes that may lead elsewhere;
// none: they are not of this form. The content is a part of an all_of beside what it must not be.
std::optional<ByteSet> TokenWalk::differing(ExprId place, ExprId base) {
  const auto body = [&](ExprId id) {
    const Expr& e = x_.at(id);
    return e.op == Op::block ? x_.at(e.a) : e;
  };
  const Expr whole = body(place);
  const Expr known = body(base);
  if (whole.op != Op::sequence || known.op != Op::sequence || whole.b != known.b) {
    return std::nullopt;
  }
  const Expr content = x_.at(whole.a);
  if (content.op != Op::all_of) return std::nullopt;
  ByteSet found;
  bool beside = false;
  for (size_t i = 0; i < x_.list(content).size(); ++i) {
    const ExprId part = x_.list(content)[i];
    if (part == known.a) {
      beside = true;
      continue;
    }
    const Expr e = x_.at(part);
    if (e.op != Op::none_of) return std::nullopt;
    found = found | x_.first_bytes(e.a);
    if (x_.nullable(e.a)) found = found | x_.first_bytes(whole.b);
  }
  // Where most bytes lead elsewhere, as with a pattern, strides are the shorter way.
  constexpr int kMostBytes = 64;
  return beside && found.count() <= kMostBytes ? std::optional(found) : std::nullopt;
}

Inside TokenWalk::walk_beside(ExprId block, ExprId base, const Inside& known) {
  Inside result;
  result.bits = known.bits;
  std::vector<int32_t> gone;
  std::vector<int32_t> come;
  path_[0] = block;
  other_path_[0] = base;
  differing_[0] = differing(block, base);
  const auto look = [&](int32_t i) {
    const TokenTrie::Node& at = trie_.nodes()[static_cast<size_t>(i)];
    const std::optional<ByteSet>& differs = differing_[at.depth - 1u];
    const ExprId next = x_.derivative(path_[at.depth - 1u], at.byte);
    const ExprId other = x_.derivative(other_path_[at.depth - 1u], at.byte);
    const TokenTrie::Branch* branch = next == other ? nullptr : branch_of(at);
    const bool alike = next == other || (branch != nullptr && !differs &&
                                         strides_.spans(path_[at.depth - 1u], *branch, true) &&
                                         strides_.spans(other_path_[at.depth - 1u], *branch, true));
    if (alike) return false;
    if (next == kNothing && branch != nullptr) {
      for (const int32_t token : trie_.tokens(*branch)) forbid(result.bits, token);
      const auto first = std::ranges::lower_bound(known.crossings, i);
      gone.insert(gone.end(), first, std::ranges::lower_bound(known.crossings, at.end));
      return false;
    }
    trie_.each_token(
        at, [&](int32_t t) { next == kNothing ? forbid(result.bits, t) : allow(result.bits, t); });
    if (at.end > i + 1) {
      if (x_.nullable(next)) come.push_back(i);
      if (x_.nullable(other)) gone.push_back(i);
    }
    path_[at.depth] = next;
    other_path_[at.depth] = other;
    differing_[at.depth] = differing(next, other);
    return true;
  };
  const auto may_differ = [&](size_t depth) { return differing_[depth].value_or(ByteSet::all()); };
  trie_.each_below(0, may_differ, look);
  std::vector<int32_t> kept;
  std::ranges::set_difference(known.crossings, gone, std::back_inserter(kept));
  std::ranges::merge(kept, come, std::back_inserter(result.crossings));
  return result;
}

StringInside TokenWalk::walk_string(ExprId base) {
  const std::span<const TokenTrie::Node> nodes = trie_.nodes();
  StringInside result;
  result.inside = walk_inside(base);
  result.no_longer.resize(TokenTrie::kLongText, TokenBits(trie_.n_words()));
  std::vector<int32_t> count(TokenTrie::kLongestToken + 1);
  path_[0] = base;
  for (size_t i = 1; i < nodes.size();) {
    const TokenTrie::Node& at = nodes[i];
    const ExprId next = x_.derivative(path_[at.depth - 1u], at.byte);
    if (next == kNothing) {
      i = static_cast<size_t>(at.end);
      continue;
    }
    const int32_t n = count[at.depth - 1u] + (next == base ? 1 : 0);
    count[at.depth] = n;
    path_[at.depth] = next;
    const bool whole = next == base || next == kEmpty;
    const int32_t n_begun = n + (whole ? 0 : 1);
    trie_.each_token(at, [&](int32_t t) {
      if (n_begun < TokenTrie::kLongText) {
        allow(result.no_longer[static_cast<size_t>(n_begun)], t);
      } else {
        result.long_tokens.push_back({n_begun, t});
      }
      if (next == kEmpty) result.closers.push_back({n, t});
    });
    const bool crosses = next == kEmpty && static_cast<size_t>(at.end) > i + 1;
    if (crosses) result.crossings.push_back({n, static_cast<int32_t>(i)});
    i = next == kEmpty ? static_cast<size_t>(at.end) : i + 1;
  }
  const auto fewer = [](const auto& a, const auto& b) { return a.characters < b.characters; };
  const auto more = [&](const auto& a, const auto& b) { return fewer(b, a); };
  std::stable_sort(result.long_tokens.begin(), result.long_tokens.end(), more);
  for (size_t i = 1; i < result.no_longer.size(); ++i) {
    unite(result.no_longer[i], result.no_longer[i - 1]);
  }
  std::stable_sort(result.closers.begin(), result.closers.end(), fewer);
  return result;
}

}  // namespace strata::inference
