#include <algorithm>

#include "core/check.h"
#include "core/error.h"
#include "inference/constraint/expression.h"
#include "inference/constraint/limits.h"
#include "inference/constraint/token_trie.h"

namespace strata::inference {

void Expressions::refuse_steps() {
  throw Error(Code::resource_exhausted, "the rule of the output takes too many steps to work with",
              "make the rule simpler: shorter patterns, smaller bounds, fewer alternatives");
}

void Expressions::refuse_depth() {
  throw Error(Code::resource_exhausted,
              fmt::format("the rule of the output nests more than {} expressions, any of which "
                          "may be left out",
                          kMaxExpressionDepth),
              "make the rule simpler");
}

bool Expressions::find_nullable(ExprId id) {
  const bool result = compute_nullable(id);
  if (sealed_ || at(id).regular) rows_[static_cast<size_t>(id)].nullable = result ? 1 : 0;
  return result;
}

bool Expressions::compute_nullable(ExprId id) {
  const Depth depth(*this);
  const Expr e = at(id);
  const auto is_nullable = [&](ExprId part) { return nullable(part); };
  switch (e.op) {
    case Op::nothing:
    case Op::bytes:
      return false;
    case Op::empty:
      return true;
    case Op::sequence:
      return nullable(e.a) && nullable(e.b);
    case Op::any_of:
      return std::ranges::any_of(list(e), is_nullable);
    case Op::all_of:
      return std::ranges::all_of(list(e), is_nullable);
    case Op::none_of:
      return !nullable(e.a);
    case Op::repeat:
      return e.b == 0 || nullable(e.a);
    case Op::block:
      return nullable(e.a);
    case Op::rule:
      return rules_[static_cast<size_t>(e.a)].nullable;
    case Op::trigger:
      return true;
    case Op::unless:
      return nullable(e.a);
    case Op::multiple:
      break;
  }
  const Multiple& m = multiples_[static_cast<size_t>(e.a)];
  int64_t rest = m.rest;
  for (int32_t i = std::max(0, m.behind); i < m.digits; ++i) rest = rest * 10 % m.k;
  return rest == 0;
}

bool Expressions::matches(ExprId id, std::string_view text) {
  for (const char c : text) id = find_derivative(id, static_cast<uint8_t>(c));
  return nullable(id);
}

ExprId Expressions::find_derivative(ExprId id, uint8_t byte) {
  const Expr& e = at(id);
  if (e.op == Op::nothing || e.op == Op::empty) return kNothing;
  if (e.op == Op::bytes) return set(e).has(byte) ? kEmpty : kNothing;
  if (!sealed_) return searching_ ? find_unsealed(id, byte) : derive(id, byte);
  // What has no all_of in it leads to the same places whether their emptiness is known or not.
  const bool unproven = searching_ && e.conjunction;
  const int32_t known = rows_[static_cast<size_t>(id)].unproven;
  if (unproven && known >= 0) {
    const int32_t groups = rows_[static_cast<size_t>(id)].groups;
    const ExprId next = cells_[static_cast<size_t>(known) + groups_.group(groups, byte)];
    if (next >= 0) return next;
  }
  const ExprId next = derive(id, byte);
  // Of two in three places one byte is all that is ever asked for: which others lead there is not
  // looked for.
  if (!unproven && rows_[static_cast<size_t>(id)].next < 0) {
    Row& row = rows_[static_cast<size_t>(id)];
    row.byte = byte;
    return row.next = next;
  }
  const int32_t groups = partition(id);
  Row& row = rows_[static_cast<size_t>(id)];
  int32_t& cells = unproven ? row.unproven : row.cells;
  if (cells < 0) {
    const size_t n = groups_.n_groups(groups);
    if (cells_.size() + n > kMaxTransitions) forget_derivatives();
    cells = static_cast<int32_t>(cells_.size());
    cells_.resize(cells_.size() + n, -1);
    if (!unproven && row.next >= 0) {
      cells_[static_cast<size_t>(cells) + groups_.group(groups, row.byte)] = row.next;
    }
  }
  cells_[static_cast<size_t>(cells) + groups_.group(groups, byte)] = next;
  return next;
}

// In a proof; the bytes' groups are not known yet.
ExprId Expressions::find_unsealed(ExprId id, uint8_t byte) {
  const uint64_t key = static_cast<uint64_t>(id) << 8 | byte;
  const auto known = unsealed_.find(key);
  if (known != unsealed_.end()) return known->second;
  const ExprId next = derive(id, byte);
  if (unsealed_.size() >= kMaxSearched) unsealed_.clear();
  unsealed_.emplace(key, next);
  return next;
}

void Expressions::forget_derivatives() {
  cells_.clear();
  for (Row& row : rows_) row.next = row.cells = row.unproven = -1;
}

ExprId Expressions::derive(ExprId id, uint8_t byte) {
  spend();
  const Depth depth(*this);
  const Expr e = at(id);
  switch (e.op) {
    case Op::nothing:
    case Op::empty:
    case Op::bytes:
      break;  // find_derivative() has them
    case Op::sequence: {
      const ExprId in_front = sequence(derivative(e.a, byte), e.b);
      const ExprId behind = nullable(e.a) ? derivative(e.b, byte) : kNothing;
      if (behind == kNothing) return in_front;
      return in_front == kNothing ? behind : any_of({in_front, behind});
    }
    case Op::any_of:
      return derive_any(e, byte);
    case Op::all_of: {
      Parts parts;
      for (size_t i = 0; i < static_cast<size_t>(e.b); ++i) {
        parts.push_back(derivative(list(e)[i], byte));
        if (parts.back() == kNothing) return kNothing;
      }
      return all_of(parts);
    }
    case Op::none_of:
      return none_of(derivative(e.a, byte));
    case Op::repeat: {
      const ExprId first = derivative(e.a, byte);
      if (first == kNothing) return kNothing;
      return sequence(first, repeat(e.a, std::max(0, e.b - 1), e.c < 0 ? -1 : e.c - 1));
    }
    case Op::block:
      return block(derivative(e.a, byte));
    case Op::rule:
      return derivative(body(e.a), byte);
    case Op::trigger:
      return derive_trigger(e.a, byte);
    case Op::unless: {
      const ExprId beginning = derivative(e.b, byte);
      return nullable(beginning) ? kNothing : unless(derivative(e.a, byte), beginning);
    }
    case Op::multiple:
      return derive_multiple(e, byte);
  }
  return kNothing;
}

// Mostly one part goes on.
ExprId Expressions::derive_any(const Expr& e, uint8_t byte) {
  ExprId first = kNothing;
  Parts parts;  // where there are more
  for (size_t i = 0; i < static_cast<size_t>(e.b); ++i) {
    const ExprId part = derivative(list(e)[i], byte);
    if (part == kNothing || part == first) continue;
    if (first == kNothing) {
      first = part;
      continue;
    }
    if (parts.empty()) parts.push_back(first);
    parts.push_back(part);
  }
  return parts.empty() ? first : any_of(parts);
}

ExprId Expressions::derive_multiple(const Expr& e, uint8_t byte) {
  Multiple m = multiples_[static_cast<size_t>(e.a)];
  if (byte == '.' && m.behind < 0) {
    m.behind = 0;
  } else if (byte < '0' || byte > '9') {
    return kNothing;
  } else if (m.behind >= 0 && m.behind >= m.digits) {
    if (byte != '0') return kNothing;
  } else {
    m.rest = (m.rest * 10 + (byte - '0')) % m.k;
    if (m.behind >= 0) ++m.behind;
  }
  return multiple(m);
}

// Places: 0 nothing matched, else 1 + trigger << 16 | bytes of it. The longest beginning of any
// trigger that the text ends with is what counts.
ExprId Expressions::derive_trigger(int32_t place, uint8_t byte) {
  // A control token inside a trigger counts by its spelling.
  if (byte == TokenTrie::kControl) {
    return intern({.op = Op::trigger, .regular = false, .a = place});
  }
  std::string seen;
  if (place > 0) {
    const Trigger& trigger = triggers_[static_cast<size_t>((place - 1) >> 16)];
    seen = trigger.begin.substr(0, static_cast<size_t>((place - 1) & 0xFFFF));
  }
  seen.push_back(static_cast<char>(byte));
  const ExprId begin = intern({.op = Op::trigger, .regular = false, .a = 0});
  for (; !seen.empty(); seen.erase(0, 1)) {
    for (size_t i = 0; i < triggers_.size(); ++i) {
      const Trigger& trigger = triggers_[i];
      if (!trigger.begin.starts_with(seen)) continue;
      if (seen.size() == trigger.begin.size()) {
        return trigger.last ? trigger.rule : sequence(trigger.rule, begin);
      }
      const auto next = static_cast<int32_t>(1 + (i << 16 | seen.size()));
      return intern({.op = Op::trigger, .regular = false, .a = next});
    }
  }
  return begin;
}

bool Expressions::is_live(ExprId id) {
  const int8_t known = rows_[static_cast<size_t>(id)].live;
  if (known >= 0) return known == 1;
  searching_ = true;
  try {
    const auto live = proven(id);
    const bool found = live ? *live : search_live(id);
    end_search();
    rows_[static_cast<size_t>(id)].live = found ? 1 : 0;
    return found;
  } catch (...) {
    end_search();
    throw;
  }
}

std::optional<bool> Expressions::proven(ExprId id) {
  const int8_t known = rows_[static_cast<size_t>(id)].live;
  if (known >= 0) return known == 1;
  if (nullable(id)) return true;
  return multiple_can_follow(id);
}

namespace {

constexpr int8_t kSeen = -2;  // as Row::live: in the proof that is made

}  // namespace

// False: it was seen before, or nothing goes on there.
bool Expressions::see(ExprId id, int32_t from) {
  int8_t& live = rows_[static_cast<size_t>(id)].live;
  if (live == kSeen || live == 0) return false;
  seen_.push_back({id, from});
  if (live < 0) live = kSeen;
  return true;
}

void Expressions::end_search() {
  searching_ = false;
  for (const Seen& seen : seen_) {
    int8_t& live = rows_[static_cast<size_t>(seen.id)].live;
    if (live == kSeen) live = -1;
  }
  seen_.clear();
  open_.clear();
}

// Looks for a text that it matches. All that was seen on the way matches one, too; where there is
// none, nothing that was seen does.
bool Expressions::search_live(ExprId id) {
  std::vector<uint8_t> bytes;
  if (!sealed_) bytes = bytes_of(id);
  see(id, 0);
  open_.push_back(0);
  int64_t steps = kSearchSteps;
  size_t oldest = 0;  // of open_
  // The newest and the oldest in turns: some have long texts only, which lie deep, others short
  // ones among many long beginnings.
  for (bool newest = true; oldest < open_.size(); newest = !newest) {
    const int32_t from = newest ? open_.back() : open_[oldest];
    newest ? open_.pop_back() : void(++oldest);
    const ExprId here = seen_[static_cast<size_t>(from)].id;
    const ByteSet first = first_bytes(here);
    if (sealed_) groups_.representatives(partition(here), bytes);
    for (const uint8_t byte : bytes) {
      if (--steps < 0) steps_ = -1;
      if (!first.has(byte)) continue;
      const ExprId next = find_derivative(here, byte);
      if (next == kNothing || !see(next, from)) continue;
      const auto live = proven(next);
      if (live == true) {
        for (size_t i = seen_.size() - 1;; i = static_cast<size_t>(seen_[i].from)) {
          rows_[static_cast<size_t>(seen_[i].id)].live = 1;
          if (i == 0) return true;
        }
      }
      if (!live) open_.push_back(static_cast<int32_t>(seen_.size()) - 1);
    }
  }
  for (const Seen& seen : seen_) rows_[static_cast<size_t>(seen.id)].live = 0;
  return false;
}

void Expressions::seal() {
  set_classes();
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = 0; i < rules_.size(); ++i) {
      if (rules_[i].nullable || rules_[i].make || !nullable(rules_[i].body)) continue;
      rules_[i].nullable = true;
      changed = true;
    }
  }
  sealed_ = true;
  check_left_recursion();
}

// A rule whose text may begin with itself has no derivative.
void Expressions::check_left_recursion() {
  std::vector<int8_t> state(rules_.size(), 0);  // 1: being looked at, 2: done
  const std::function<void(ExprId)> visit = [&](ExprId id) {
    const Depth depth(*this);
    const Expr e = at(id);
    if (e.regular) return;
    if (e.op == Op::any_of) {
      const std::vector<ExprId> parts(list(e).begin(), list(e).end());
      for (const ExprId part : parts) visit(part);
    } else if (e.op == Op::sequence) {
      visit(e.a);
      if (nullable(e.a)) visit(e.b);
    } else if (e.op == Op::repeat) {
      visit(e.a);
    } else if (e.op == Op::unless) {
      visit(e.a);
      visit(e.b);
    } else if (e.op == Op::rule) {
      const auto rule = static_cast<size_t>(e.a);
      if (state[rule] == 2 || rules_[rule].make) return;
      if (state[rule] == 1) {
        throw Error(Code::invalid_argument, "a rule begins with itself, behind nothing",
                    "let each turn of a recursive rule begin with a text");
      }
      state[rule] = 1;
      visit(rules_[rule].body);
      state[rule] = 2;
    }
  };
  for (size_t i = 0; i < rules_.size(); ++i) {
    if (!rules_[i].make) visit(rule(static_cast<int32_t>(i)));
  }
}

Expressions::Needs Expressions::needs_of(ExprId id) const {
  const Expr& e = at(id);
  if (id == kNothing) return {.n = 1};
  if (e.regular) return {};
  if (e.op == Op::sequence) return {.n = 2, .of = {e.a, e.b}};
  if (e.op == Op::any_of) return {.n = 1, .of = {list(e).begin(), list(e).end()}};
  if (e.op == Op::repeat && e.b == 0) return {};
  if (e.op == Op::repeat || e.op == Op::unless) return {.n = 1, .of = {e.a}};
  if (e.op != Op::rule) return {};
  const Rule& rule = rules_[static_cast<size_t>(e.a)];
  return {.n = 1, .of = {rule.make ? rule.witness : rule.body}};
}

// From the parts that have a text to those that need them, so that each is looked at once, however
// many share it.
std::vector<bool> Expressions::dead_rules(std::span<const int32_t> rules) {
  std::unordered_map<ExprId, int32_t> missing;  // of what an expression needs
  std::unordered_map<ExprId, std::vector<ExprId>> users;
  std::vector<ExprId> open, live;
  for (const int32_t asked : rules) open.push_back(rule(asked));
  while (!open.empty()) {
    const ExprId id = open.back();
    open.pop_back();
    if (missing.contains(id)) continue;
    const Needs needs = needs_of(id);
    spend(1 + static_cast<int64_t>(needs.of.size()));
    missing[id] = needs.n;
    if (needs.n == 0) live.push_back(id);
    for (const ExprId part : needs.of) users[part].push_back(id);
    open.insert(open.end(), needs.of.begin(), needs.of.end());
  }
  while (!live.empty()) {
    const ExprId id = live.back();
    live.pop_back();
    for (const ExprId user : users[id]) {
      if (--missing[user] == 0) live.push_back(user);
    }
  }
  std::vector<bool> dead;
  for (const int32_t asked : rules) dead.push_back(missing[rule(asked)] > 0);
  return dead;
}

}  // namespace strata::inference
