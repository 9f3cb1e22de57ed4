#include "inference/constraint/insides.h"

#include <algorithm>
#include <utility>

namespace strata::inference {

const StringInside& Insides::string_tail(size_t i) {
  return trie_.string_tail(i, [&] { return walk_.walk_string(x_.string_tails[i]); });
}

void Insides::prepare_strings() {
  for (const ExprId rule : x_.json_rules) {
    if (rule >= 0) static_cast<void>(of_json(rule, 0));
  }
  for (size_t i = 0; i < x_.string_tails.size(); ++i) {
    if (x_.string_tails[i] >= 0) static_cast<void>(string_tail(i));
  }
}

namespace {

// The string's tokens of at most so many characters.
TokenBits no_longer(const StringInside& known, int32_t most) {
  const auto counted = static_cast<size_t>(most);
  if (counted < known.no_longer.size()) return known.no_longer[counted];
  TokenBits bits = known.inside.bits;
  for (const auto& [n, token] : known.long_tokens) {
    if (n <= most) break;
    forbid(bits, token);
  }
  return bits;
}

}  // namespace

// Of block(repeat(character, least, most), quote), with the characters of one of the string tails:
// what that has without the tokens that are too long or close too soon.
std::optional<Inside> Insides::limited_string(ExprId block) {
  const Expr whole = x_.at(x_.at(block).a);
  if (whole.op != Op::sequence || x_.at(whole.a).op != Op::repeat) return std::nullopt;
  const Expr characters = x_.at(whole.a);
  for (size_t i = 0; i < x_.string_tails.size(); ++i) {
    if (x_.string_tails[i] < 0) continue;
    const Expr base = x_.at(x_.at(x_.string_tails[i]).a);
    if (base.b != whole.b || x_.at(base.a).a != characters.a) continue;
    const StringInside& known = string_tail(i);
    if (known.inside.bits.empty()) return std::nullopt;
    const int32_t least = characters.b;
    const int32_t most = characters.c < 0 ? INT32_MAX : characters.c;
    Inside result;
    result.bits = no_longer(known, most);
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

Inside Insides::make(ExprId block) {
  if (std::optional<Inside> limited = limited_string(block)) return std::move(*limited);
  const ExprId base = x_.string_tails[1];
  if (base >= 0 && walk_.lacks_some(block, base)) {
    const Inside& known = string_tail(1).inside;
    if (!known.bits.empty()) return walk_.walk_beside(block, base, known);
  }
  Strides& strides = walk_.strides();
  if (strides.is_open(block)) {
    Inside open;
    open.open = true;
    return open;
  }
  if (base < 0) return walk_.walk_inside(block);
  // As in a name that must be none of many.
  if (strides.reaches_far(block) || !strides.is_wide(block)) return walk_.walk_inside(block);
  const Inside& known = string_tail(1).inside;
  return known.bits.empty() ? walk_.walk_inside(block) : walk_.walk_beside(block, base, known);
}

std::shared_ptr<const Inside> Insides::one(ExprId block) {
  for (size_t i = 0; i < x_.string_tails.size(); ++i) {
    // Lives as long as the vocabulary.
    if (block == x_.string_tails[i])
      return {std::shared_ptr<const Inside>(), &string_tail(i).inside};
  }
  const std::optional<std::string> text = texts_.of(block);
  if (text) {
    if (auto known = trie_.insides().find(*text)) return known;
  }
  const auto made = std::make_shared<const Inside>(make(block));
  if (text) trie_.insides().keep(*text, made);
  return made;
}

std::span<const std::shared_ptr<const Inside>> Insides::of(ExprId block) {
  const auto known = known_.find(block);
  if (known != known_.end()) return known->second;
  constexpr size_t kMostParts = 16;
  const Expr inner = x_.at(x_.at(block).a);
  std::vector<ExprId> parts{block};
  if (inner.op == Op::any_of && x_.list(inner).size() <= kMostParts) {
    parts.assign(x_.list(inner).begin(), x_.list(inner).end());
    for (ExprId& part : parts) part = x_.block(part);
  }
  std::vector<std::shared_ptr<const Inside>> made;
  for (const ExprId part : parts) made.push_back(one(part));
  const bool open = std::ranges::any_of(made, [](const auto& part) { return part->open; });
  if (open && parts.size() > 1) made = {one(block)};
  for (const auto& part : made) kept_bytes_ += part->size_bytes();
  return known_.emplace(block, std::move(made)).first->second;
}

bool Insides::is_json(ExprId id) const {
  return x_.at(id).op == Op::rule && std::ranges::find(x_.json_rules, id) != x_.json_rules.end();
}

const Inside& Insides::of_json(ExprId rule, int32_t node) {
  const auto key = static_cast<uint64_t>(rule) << 32 | static_cast<uint32_t>(node);
  std::shared_ptr<const Inside>& known = json_[key];
  if (known) return *known;
  const std::string text = texts_.of_json(rule, node);
  known = trie_.insides().find(text);
  if (!known) {
    known = std::make_shared<const Inside>(walk_.walk_inside(rule, node));
    trie_.insides().keep(text, known);
  }
  kept_bytes_ += known->size_bytes();
  return *known;
}

void Insides::clear() {
  json_.clear();
  walk_.strides().clear();
  texts_.clear();
  known_.clear();
  kept_bytes_ = 0;
}

}  // namespace strata::inference
