#include "inference/constraint/constraint.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <limits>
#include <set>

#include "core/error.h"
#include "inference/constraint/limits.h"

namespace strata::inference {
namespace {

constexpr ExprId kNothing = Expressions::kNothing;
constexpr ExprId kEmpty = Expressions::kEmpty;
constexpr size_t kFewTokens = 512;  // are kept as a list

void allow(std::vector<uint64_t>& bits, int32_t token) {
  bits[static_cast<size_t>(token) >> 6] |= uint64_t{1} << (token & 63);
}

void unite(std::vector<uint64_t>& bits, const std::vector<uint64_t>& others) {
  for (size_t word = 0; word < others.size(); ++word) bits[word] |= others[word];
}

void forbid(std::vector<uint64_t>& bits, int32_t token) {
  bits[static_cast<size_t>(token) >> 6] &= ~(uint64_t{1} << (token & 63));
}

// As a list where they are few.
void keep_few(Inside& inside) {
  size_t n = 0;
  for (const uint64_t word : inside.bits) {
    if (word != 0) n += static_cast<size_t>(std::popcount(word));
    if (n > kFewTokens) return;
  }
  for (size_t word = 0; word < inside.bits.size(); ++word) {
    for (uint64_t left = inside.bits[word]; left != 0; left &= left - 1) {
      inside.ids.push_back(
          static_cast<int32_t>(word * 64 + static_cast<size_t>(std::countr_zero(left))));
    }
  }
  inside.bits = {};
}

}  // namespace

void keep_allowed(std::span<const float> logits, const TokenMask& mask, std::vector<float>& out) {
  out.assign(logits.size(), -std::numeric_limits<float>::infinity());
  const size_t n_words = std::min(mask.bits.size(), (logits.size() + 63) / 64);
  for (size_t word = 0; word < n_words; ++word) {
    const uint64_t bits = mask.bits[word];
    const size_t begin = word * 64;
    const size_t n = std::min<size_t>(64, logits.size() - begin);
    if (bits == ~uint64_t{0} && n == 64) {
      std::copy_n(logits.data() + begin, 64, out.data() + begin);
      continue;
    }
    for (uint64_t left = bits; left != 0; left &= left - 1) {
      const auto i = static_cast<size_t>(std::countr_zero(left));
      if (i < n) out[begin + i] = logits[begin + i];
    }
  }
}

Matcher::Matcher(std::shared_ptr<Grammar> grammar, std::shared_ptr<const TokenTrie> trie)
    : grammar_(std::move(grammar)),
      trie_(std::move(trie)),
      strides_(grammar_->expressions),
      path_(TokenTrie::kLongestToken + 1),
      other_path_(TokenTrie::kLongestToken + 1) {}

void Matcher::add(int32_t token, std::vector<uint64_t>& bits) const {
  for (; token >= 0; token = trie_->next_alike(token)) allow(bits, token);
}

const TokenTrie::Branch* Matcher::branch_of(const TokenTrie::Node& node) const {
  return node.branch < 0 ? nullptr : &trie_->branches()[static_cast<size_t>(node.branch)];
}

// Adds the tokens below a node that `place`, which is where the node's bytes lead, goes on with.
// With `crossings` also the nodes with children behind which the place may be over.
void Matcher::walk(ExprId place, int32_t node, std::vector<uint64_t>& bits,
                   std::vector<int32_t>* crossings) {
  if (place == kEmpty || place == kNothing || spread(place, node, bits, crossings)) return;
  Expressions& x = grammar_->expressions;
  const std::span<const TokenTrie::Node> nodes = trie_->nodes();
  const TokenTrie::Node& top = nodes[static_cast<size_t>(node)];
  // The tokens of the place's own stride are found in their groups: what is left to look at are
  // those that begin so and go on with something else.
  const Stride* wide = node == 0 ? strides_.wide_stride(place) : nullptr;
  std::optional<Stride> stride;
  if (wide != nullptr && !(crossings != nullptr && wide->over)) stride = *wide;
  if (stride) unite(bits, *trie_->groups().tokens_of(stride->of, stride->longest));
  constexpr int kNever = TokenTrie::kLongestToken + 1;
  int left = stride ? kNever : 0;  // at which depth the path has left the stride
  path_[top.depth] = place;
  const auto end = static_cast<size_t>(top.end);
  for (auto i = static_cast<size_t>(node) + 1; i < end;) {
    const TokenTrie::Node& at = nodes[i];
    const TokenTrie::Branch* branch = branch_of(at);
    const ExprId before = path_[at.depth - 1u];
    if (stride && at.depth <= left) {
      if (branch != nullptr && stride->decides(*branch, at.depth - 1)) {
        i = static_cast<size_t>(at.end);
        continue;
      }
      left = stride->of.has(at.byte) ? kNever : at.depth;
    }
    const ExprId next = x.derivative(before, at.byte);
    if (next == kNothing) {
      i = static_cast<size_t>(at.end);
      continue;
    }
    if (left != kNever && branch != nullptr &&
        strides_.spans(before, *branch, crossings != nullptr)) {
      for (const int32_t token : trie_->tokens(*branch)) allow(bits, token);
      i = static_cast<size_t>(at.end);
      continue;
    }
    if (at.token >= 0) add(at.token, bits);
    const bool has_children = static_cast<size_t>(at.end) > i + 1;
    if (crossings != nullptr && has_children && x.nullable(next)) {
      crossings->push_back(static_cast<int32_t>(i));
    }
    path_[at.depth] = next;
    if (at.depth == 1 && spread(next, static_cast<int32_t>(i), bits, crossings)) {
      i = static_cast<size_t>(at.end);
      continue;
    }
    i = next == kEmpty ? static_cast<size_t>(at.end) : i + 1;
  }
}

// As walk(), where the place goes on with whole groups of tokens, and only few tokens of the many
// below the node are left to be looked at. False: nothing is done.
bool Matcher::spread(ExprId place, int32_t node, std::vector<uint64_t>& bits,
                     std::vector<int32_t>* crossings) {
  constexpr int32_t kMany = 64;  // tokens: to look for a stride costs about as much as these
  const TokenTrie::Node& top = trie_->nodes()[static_cast<size_t>(node)];
  const TokenTrie::Branch* branch = branch_of(top);
  if (top.depth > 1 || (node != 0 && branch == nullptr)) return false;
  if (branch != nullptr && branch->end - branch->first < kMany) return false;
  const Stride* wide = strides_.wide_stride(place);
  if (wide == nullptr || (crossings != nullptr && wide->over)) return false;
  const bool far = wide->ends || wide->longest >= TokenTrie::kLongText;
  if (!far || !TokenTrie::has_spots(wide->others)) return false;
  if (branch != nullptr && !wide->of.has(top.byte)) return false;
  const Stride stride = *wide;
  const auto found = trie_->groups().tokens_of(stride.of, stride.longest + top.depth);
  if (branch == nullptr) {
    unite(bits, *found);
  } else {
    for (const int32_t token : trie_->tokens(*branch)) {
      const auto at = static_cast<size_t>(token);
      bits[at >> 6] |= (*found)[at >> 6] & uint64_t{1} << (at & 63);
    }
  }
  walk_spots(place, node, stride, bits, crossings);
  return true;
}

// Of the tokens below the node that are not wholly of the stride's characters: to where each has
// the first other one, or is long, or has a part of a character.
void Matcher::walk_spots(ExprId place, int32_t node, const Stride& stride,
                         std::vector<uint64_t>& bits, std::vector<int32_t>* crossings) {
  Expressions& x = grammar_->expressions;
  const TokenTrie::Node& top = trie_->nodes()[static_cast<size_t>(node)];
  const auto look = [&](std::string_view text, int32_t spot, bool below) {
    ExprId here = place;
    for (const char c : text.substr(0, text.size() - 1)) {
      // Is found at that character, or does not go on.
      if (!stride.of.has(static_cast<uint8_t>(c))) return;
      here = x.derivative(here, static_cast<uint8_t>(c));
    }
    here = x.derivative(here, static_cast<uint8_t>(text.back()));
    if (here == kNothing) return;
    const TokenTrie::Node& at = trie_->nodes()[static_cast<size_t>(spot)];
    if (at.token >= 0) add(at.token, bits);
    const bool has_children = at.end > spot + 1;
    if (crossings != nullptr && has_children && x.nullable(here)) crossings->push_back(spot);
    if (below && has_children) walk(here, spot, bits, crossings);
  };
  const auto look_at = [&](const TokenTrie::Spots& spots, bool below) {
    const std::string_view text = spots.text;
    const auto first = std::ranges::upper_bound(spots.all, node, {}, &TokenTrie::Spot::node);
    uint32_t begin = first == spots.all.begin() ? 0 : (first - 1)->end;
    for (auto spot = first; spot != spots.all.end() && spot->node < top.end; ++spot) {
      look(text.substr(begin + top.depth, spot->end - begin - top.depth), spot->node, below);
      begin = spot->end;
    }
  };
  for (uint8_t c = 0; c < 128; ++c) {
    if (stride.others.has(c)) look_at(trie_->spots_of(c), true);
  }
  look_at(trie_->long_texts(), true);
  if (stride.of.beyond) look_at(trie_->broken(), false);
  if (crossings == nullptr) return;
  std::ranges::sort(*crossings);
  const auto twice = std::ranges::unique(*crossings);
  crossings->erase(twice.begin(), twice.end());
}

Inside Matcher::walk_inside(ExprId block) {
  Inside result;
  result.bits.resize(trie_->n_words());
  walk(block, 0, result.bits, &result.crossings);
  keep_few(result);
  return result;
}

// The same, of a block that soon leads where `base` leads, of which it is known: looks only at what
// differs.
Inside Matcher::walk_beside(ExprId block, ExprId base, const Inside& known) {
  Expressions& x = grammar_->expressions;
  const std::span<const TokenTrie::Node> nodes = trie_->nodes();
  Inside result;
  result.bits = known.bits;
  std::vector<int32_t> gone;
  std::vector<int32_t> come;
  path_[0] = block;
  other_path_[0] = base;
  for (size_t i = 1; i < nodes.size();) {
    const TokenTrie::Node& at = nodes[i];
    const ExprId next = x.derivative(path_[at.depth - 1u], at.byte);
    const ExprId other = x.derivative(other_path_[at.depth - 1u], at.byte);
    const TokenTrie::Branch* branch = next == other ? nullptr : branch_of(at);
    const bool alike = next == other ||
                       (branch != nullptr && strides_.spans(path_[at.depth - 1u], *branch, true) &&
                        strides_.spans(other_path_[at.depth - 1u], *branch, true));
    if (alike) {
      i = static_cast<size_t>(at.end);
      continue;
    }
    if (next == kNothing && branch != nullptr) {
      for (const int32_t token : trie_->tokens(*branch)) forbid(result.bits, token);
      const auto first = std::ranges::lower_bound(known.crossings, static_cast<int32_t>(i));
      gone.insert(gone.end(), first, std::ranges::lower_bound(known.crossings, at.end));
      i = static_cast<size_t>(at.end);
      continue;
    }
    for (int32_t t = at.token; t >= 0; t = trie_->next_alike(t)) {
      next == kNothing ? forbid(result.bits, t) : allow(result.bits, t);
    }
    if (static_cast<size_t>(at.end) > i + 1) {
      if (x.nullable(next)) come.push_back(static_cast<int32_t>(i));
      if (x.nullable(other)) gone.push_back(static_cast<int32_t>(i));
    }
    path_[at.depth] = next;
    other_path_[at.depth] = other;
    ++i;
  }
  std::vector<int32_t> kept;
  std::ranges::set_difference(known.crossings, gone, std::back_inserter(kept));
  std::ranges::merge(kept, come, std::back_inserter(result.crossings));
  return result;
}

// As walk_inside(), of a string's end `base` = block(repeat(character), quote): there, what follows
// a whole character is `base` again.
StringInside Matcher::walk_string(ExprId base) {
  Expressions& x = grammar_->expressions;
  const std::span<const TokenTrie::Node> nodes = trie_->nodes();
  StringInside result;
  result.inside = walk_inside(base);
  std::vector<int32_t> count(TokenTrie::kLongestToken + 1);
  path_[0] = base;
  for (size_t i = 1; i < nodes.size();) {
    const TokenTrie::Node& at = nodes[i];
    const ExprId next = x.derivative(path_[at.depth - 1u], at.byte);
    if (next == kNothing) {
      i = static_cast<size_t>(at.end);
      continue;
    }
    const int32_t n = count[at.depth - 1u] + (next == base ? 1 : 0);
    count[at.depth] = n;
    path_[at.depth] = next;
    const bool whole = next == base || next == kEmpty;
    for (int32_t t = at.token; t >= 0; t = trie_->next_alike(t)) {
      result.tokens.push_back({n + (whole ? 0 : 1), t});
      if (next == kEmpty) result.closers.push_back({n, t});
    }
    const bool crosses = next == kEmpty && static_cast<size_t>(at.end) > i + 1;
    if (crosses) result.crossings.push_back({n, static_cast<int32_t>(i)});
    i = next == kEmpty ? static_cast<size_t>(at.end) : i + 1;
  }
  const auto fewer = [](const auto& a, const auto& b) { return a.characters < b.characters; };
  const auto more = [&](const auto& a, const auto& b) { return fewer(b, a); };
  std::stable_sort(result.tokens.begin(), result.tokens.end(), more);
  std::stable_sort(result.closers.begin(), result.closers.end(), fewer);
  return result;
}

const StringInside& Matcher::string_tail(size_t i) {
  return trie_->string_tail(i, [&] { return walk_string(grammar_->expressions.string_tails[i]); });
}

void Matcher::prepare_strings() {
  const std::lock_guard lock(grammar_->mutex);
  Expressions& x = grammar_->expressions;
  for (size_t i = 0; i < x.string_tails.size(); ++i) {
    if (x.string_tails[i] >= 0) static_cast<void>(string_tail(i));
  }
}

// Of block(repeat(character, least, most), quote), with the characters of one of the string tails:
// what that has without the tokens that are too long or close too soon.
std::optional<Inside> Matcher::limited_string(ExprId block) {
  Expressions& x = grammar_->expressions;
  const Expr whole = x.at(x.at(block).a);
  if (whole.op != Op::sequence || x.at(whole.a).op != Op::repeat) return std::nullopt;
  const Expr characters = x.at(whole.a);
  for (size_t i = 0; i < x.string_tails.size(); ++i) {
    if (x.string_tails[i] < 0) continue;
    const Expr base = x.at(x.at(x.string_tails[i]).a);
    if (base.b != whole.b || x.at(base.a).a != characters.a) continue;
    const StringInside& known = string_tail(i);
    if (known.inside.bits.empty()) return std::nullopt;
    Inside result;
    result.bits = known.inside.bits;
    const int32_t least = characters.b;
    const int32_t most = characters.c < 0 ? INT32_MAX : characters.c;
    for (const auto& [n, token] : known.tokens) {
      if (n <= most) break;
      forbid(result.bits, token);
    }
    for (const auto& [n, token] : known.closers) {
      if (n >= least) break;
      forbid(result.bits, token);
    }
    for (const auto& [n, node] : known.crossings) {
      if (n >= least && n <= most) result.crossings.push_back(node);
    }
    return result;
  }
  return std::nullopt;
}

Inside Matcher::make_inside(ExprId block) {
  Expressions& x = grammar_->expressions;
  const ExprId base = x.string_tails[1];
  if (std::optional<Inside> limited = limited_string(block)) return std::move(*limited);
  if (strides_.is_open(block)) {
    Inside open;
    open.open = true;
    return open;
  }
  if (base < 0) return walk_inside(block);
  // As in a name that must be none of many.
  if (strides_.reaches_far(block) || !strides_.is_wide(block)) return walk_inside(block);
  const Inside& known = string_tail(1).inside;
  return known.bits.empty() ? walk_inside(block) : walk_beside(block, base, known);
}

const Inside& Matcher::inside(ExprId block) {
  const auto known = insides_.find(block);
  if (known != insides_.end()) return known->second;
  Expressions& x = grammar_->expressions;
  for (size_t i = 0; i < x.string_tails.size(); ++i) {
    if (block == x.string_tails[i]) return string_tail(i).inside;
  }
  Inside made = make_inside(block);
  kept_bytes_ += made.bits.size() * 8 + (made.ids.size() + made.crossings.size()) * 4;
  return insides_.emplace(block, std::move(made)).first->second;
}

// A place as blocks, any of which may come next, and what follows each.
std::vector<Matcher::Arm> Matcher::arms_of(ExprId place) {
  Expressions& x = grammar_->expressions;
  std::vector<Arm> arms;
  std::vector<ExprId> open{place};
  std::set<ExprId> seen{place};
  const auto visit = [&](ExprId id) {
    if (seen.insert(id).second) open.push_back(id);
  };
  while (!open.empty()) {
    const ExprId id = open.back();
    open.pop_back();
    const Expr e = x.at(id);
    const ExprId head = e.op == Op::sequence ? e.a : id;
    const ExprId tail = e.op == Op::sequence ? e.b : kEmpty;
    const Expr first = x.at(head);
    if (first.op == Op::any_of) {
      const std::vector<ExprId> parts(x.list(first).begin(), x.list(first).end());
      for (const ExprId part : parts) visit(x.sequence(part, tail));
    } else if (first.op == Op::rule) {
      visit(x.sequence(x.body(first.a), tail));
    } else if (first.op == Op::repeat) {
      const ExprId rest =
          x.repeat(first.a, std::max(0, first.b - 1), first.c < 0 ? -1 : first.c - 1);
      visit(x.sequence({first.a, rest, tail}));
      if (first.b == 0) visit(tail);
    } else if (head == kEmpty) {
      continue;
    } else {
      arms.push_back({head, tail});
      if (first.regular && x.nullable(head)) visit(tail);
    }
  }
  return arms;
}

std::shared_ptr<const TokenMask> Matcher::compute(ExprId place) {
  Expressions& x = grammar_->expressions;
  auto mask = std::make_shared<TokenMask>();
  mask->bits.resize(trie_->n_words());
  for (const Arm& arm : arms_of(place)) {
    const Inside* in = x.at(arm.block).op == Op::block ? &inside(arm.block) : nullptr;
    if (in == nullptr || in->open) {
      walk(x.sequence(arm.block, arm.tail), 0, mask->bits, nullptr);
      continue;
    }
    unite(mask->bits, in->bits);
    for (const int32_t token : in->ids) allow(mask->bits, token);
    for (const int32_t node : in->crossings) walk(arm.tail, node, mask->bits, nullptr);
  }
  if (x.nullable(place)) {
    for (const int32_t token : trie_->ends()) allow(mask->bits, token);
  }
  return mask;
}

std::shared_ptr<const TokenMask> Matcher::mask(ExprId place) {
  const std::lock_guard lock(grammar_->mutex);
  const auto known = masks_.find(place);
  if (known != masks_.end()) return known->second;
  if (kept_bytes_ + strides_.size_bytes() > kMaxMaskBytes) {
    strides_.clear();
    masks_.clear();
    insides_.clear();
    kept_bytes_ = 0;
  }
  grammar_->expressions.allow(kTextSteps);
  auto made = compute(place);
  kept_bytes_ += made->bits.size() * 8;
  masks_.emplace(place, made);
  return made;
}

ExprId Matcher::behind(ExprId place, int32_t token) {
  const std::lock_guard lock(grammar_->mutex);
  Expressions& x = grammar_->expressions;
  x.allow(kTextSteps);
  if (trie_->is_end(token)) return x.nullable(place) ? kEmpty : kNothing;
  const std::string_view bytes = trie_->bytes(token);
  if (bytes.empty()) return kNothing;
  for (const char c : bytes) place = x.derivative(place, static_cast<uint8_t>(c));
  return place;
}

ExprId Matcher::behind_reasoning(ExprId place) {
  const std::lock_guard lock(grammar_->mutex);
  grammar_->expressions.allow(kTextSteps);
  return grammar_->expressions.derivative(place, TokenTrie::kReasoning);
}

bool Matcher::may_end(ExprId place) {
  const std::lock_guard lock(grammar_->mutex);
  return grammar_->expressions.nullable(place);
}

// Where blanks may stand as well, one is written behind ':' and ',', as models do.
std::string Matcher::only_text(ExprId place, char before) {
  constexpr size_t kMostBytes = 64;
  constexpr std::string_view kBlanks = " \t\r\n";
  Expressions& x = grammar_->expressions;
  std::string text;
  while (text.size() < kMostBytes && !x.nullable(place)) {
    std::optional<char> only;
    for (int byte = 0; byte < 256; ++byte) {
      const auto c = static_cast<char>(byte);
      if (kBlanks.find(c) != std::string_view::npos) continue;
      if (x.derivative(place, static_cast<uint8_t>(byte)) == kNothing) continue;
      if (only) return text;
      only = c;
    }
    if (!only) return text;
    const bool parted = before == ':' || before == ',';
    const ExprId blank = parted ? x.derivative(place, ' ') : kNothing;
    if (blank != kNothing) text += ' ';
    text += *only;
    place = x.derivative(blank != kNothing ? blank : place, static_cast<uint8_t>(*only));
    before = *only;
  }
  return text;
}

std::vector<int32_t> Matcher::foretold(ExprId place, int32_t last, int32_t most) {
  const std::lock_guard lock(grammar_->mutex);
  grammar_->expressions.allow(kTextSteps);
  const std::string_view before = trie_->bytes(last);
  const std::string text = only_text(place, before.empty() ? ' ' : before.back());
  std::vector<int32_t> tokens;
  std::string_view left = text;
  while (!left.empty() && tokens.size() < static_cast<size_t>(most)) {
    const int32_t token = trie_->longest(left);
    if (token < 0) break;
    tokens.push_back(token);
    left.remove_prefix(trie_->bytes(token).size());
  }
  return tokens;
}

bool Matcher::is_worn() {
  const std::lock_guard lock(grammar_->mutex);
  return grammar_->expressions.size() > kMaxExpressions / 2;
}

bool Constraint::accept(int32_t token) {
  const ExprId next = matcher_->behind(place_, token);
  if (next == kNothing) return false;
  place_ = next;
  return true;
}

bool Constraint::accept_reasoning() {
  const ExprId next = matcher_->behind_reasoning(place_);
  if (next == kNothing) return false;
  place_ = next;
  return true;
}

}  // namespace strata::inference
