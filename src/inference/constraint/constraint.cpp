#include "inference/constraint/constraint.h"

#include <algorithm>
#include <set>

#include "core/error.h"
#include "inference/constraint/limits.h"

namespace strata::inference {
namespace {

constexpr ExprId kNothing = Expressions::kNothing;
constexpr ExprId kEmpty = Expressions::kEmpty;

}  // namespace

Matcher::Matcher(std::shared_ptr<Grammar> grammar, std::shared_ptr<const TokenTrie> trie)
    : grammar_(std::move(grammar)),
      trie_(std::move(trie)),
      insides_(grammar_->expressions, *trie_) {}

void Matcher::prepare_strings() {
  const std::lock_guard lock(grammar_->mutex);
  insides_.prepare_strings();
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
    } else if (first.op == Op::rule && !insides_.is_json(head)) {
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

// The tokens below the node.
void Matcher::add_json(const Arm& arm, int32_t node, TokenBits& bits) {
  const Inside& inside = insides_.of_json(arm.block, node);
  unite(bits, inside.bits);
  for (const int32_t token : inside.ids) allow(bits, token);
  for (const int32_t crossing : inside.crossings) {
    insides_.walk().walk(arm.tail, crossing, bits, nullptr);
  }
}

// A place of few alternatives, if one is any value of JSON; else as one that is none: behind the
// blanks in front of a value most of a mask's time is the value's, the same in every grammar.
std::vector<Matcher::Arm> Matcher::json_arms(ExprId place) {
  constexpr size_t kMost = 8;
  Expressions& x = grammar_->expressions;
  const auto split = [&](ExprId id) {
    const Expr& e = x.at(id);
    return e.op == Op::sequence ? Arm{e.a, e.b} : Arm{id, kEmpty};
  };
  const Arm whole = split(place);
  const Expr first = x.at(whole.block);
  std::vector<Arm> arms{whole};
  if (first.op == Op::any_of && x.list(first).size() <= kMost) {
    arms.clear();
    const std::vector<ExprId> parts(x.list(first).begin(), x.list(first).end());
    for (const ExprId part : parts) arms.push_back(split(x.sequence(part, whole.tail)));
  }
  const auto is_json = [&](const Arm& arm) { return insides_.is_json(arm.block); };
  return std::ranges::any_of(arms, is_json) ? arms : std::vector<Arm>{{place, kEmpty}};
}

void Matcher::add_behind(const std::vector<Arm>& arms, int32_t node, TokenBits& bits) {
  constexpr int32_t kFew = 32;  // nodes, to which a walk is as short
  const bool few = trie_->nodes()[static_cast<size_t>(node)].end - node <= kFew;
  for (const Arm& arm : arms) {
    if (!few && insides_.is_json(arm.block)) {
      add_json(arm, node, bits);
    } else {
      insides_.walk().walk(grammar_->expressions.sequence(arm.block, arm.tail), node, bits,
                           nullptr);
    }
  }
}

void Matcher::add(const Arm& arm, TokenBits& bits) {
  if (insides_.is_json(arm.block)) return add_json(arm, 0, bits);
  Expressions& x = grammar_->expressions;
  std::span<const std::shared_ptr<const Inside>> inside;
  if (x.at(arm.block).op == Op::block) inside = insides_.of(arm.block);
  if (inside.empty() || inside.front()->open) {
    return insides_.walk().walk(x.sequence(arm.block, arm.tail), 0, bits, nullptr);
  }
  const std::vector<Arm> behind = json_arms(arm.tail);
  for (const auto& part : inside) {
    unite(bits, part->bits);
    for (const int32_t token : part->ids) allow(bits, token);
    for (const int32_t node : part->crossings) add_behind(behind, node, bits);
  }
}

std::shared_ptr<const TokenMask> Matcher::compute(ExprId place) {
  Expressions& x = grammar_->expressions;
  auto mask = std::make_shared<TokenMask>();
  mask->bits.resize(trie_->n_words());
  for (const Arm& arm : arms_of(place)) add(arm, mask->bits);
  if (x.nullable(place)) {
    for (const int32_t token : trie_->ends()) allow(mask->bits, token);
  }
  return mask;
}

std::shared_ptr<const TokenMask> Matcher::find_mask(ExprId place) {
  const auto known = masks_.find(place);
  if (known != masks_.end()) return known->second;
  if (kept_bytes_ + insides_.size_bytes() > kMaxMaskBytes) {
    masks_.clear();
    insides_.clear();
    kept_bytes_ = 0;
  }
  auto made = compute(place);
  kept_bytes_ += made->bits.size() * 8;
  masks_.emplace(place, made);
  return made;
}

std::shared_ptr<const TokenMask> Matcher::mask(ExprId place) {
  const std::lock_guard lock(grammar_->mutex);
  grammar_->expressions.allow(kTextSteps);
  return find_mask(place);
}

ExprId Matcher::derive(ExprId place, int32_t token) {
  Expressions& x = grammar_->expressions;
  if (trie_->is_end(token)) return x.nullable(place) ? kEmpty : kNothing;
  const std::string_view bytes = trie_->bytes(token);
  if (bytes.empty()) return kNothing;
  for (const char c : bytes) place = x.derivative(place, static_cast<uint8_t>(c));
  return place;
}

ExprId Matcher::behind(ExprId place, int32_t token) {
  const std::lock_guard lock(grammar_->mutex);
  grammar_->expressions.allow(kTextSteps);
  return derive(place, token);
}

Matcher::Ahead Matcher::ahead(ExprId place, int32_t token) {
  const std::lock_guard lock(grammar_->mutex);
  // Room is for the places and masks of what is written.
  if (grammar_->expressions.size() > kMaxExpressions / 4) return {};
  if (kept_bytes_ + insides_.size_bytes() > kMaxMaskBytes / 2) return {};
  grammar_->expressions.allow(kGuessSteps);
  try {
    const ExprId next = derive(place, token);
    if (next == kNothing) return {};
    return {next, find_mask(next)};
  } catch (const Error&) {
    return {};
  }
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
    const ByteSet may_come = x.first_bytes(place);
    std::optional<char> only;
    for (int byte = 0; byte < 256; ++byte) {
      const auto c = static_cast<char>(byte);
      if (!may_come.has(static_cast<uint8_t>(byte))) continue;
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
  grammar_->expressions.allow(kGuessSteps);
  const std::string_view before = trie_->bytes(last);
  std::string text;
  try {
    text = only_text(place, before.empty() ? ' ' : before.back());
  } catch (const Error&) {
    return {};
  }
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

std::shared_ptr<const TokenMask> Constraint::accept_guess(int32_t token) {
  auto [next, mask] = matcher_->ahead(place_, token);
  if (mask) place_ = next;
  return mask;
}

bool Constraint::accept_reasoning() {
  const ExprId next = matcher_->behind_reasoning(place_);
  if (next == kNothing) return false;
  place_ = next;
  return true;
}

}  // namespace strata::inference
