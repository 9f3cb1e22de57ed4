// Which bytes expressions tell apart, and which may come next.
#include <set>

#include "inference/constraint/expression.h"
#include "inference/constraint/token_trie.h"

namespace strata::inference {
namespace {

// One byte of each class of bytes that none of the sets tells apart, and every byte's class.
std::vector<uint8_t> classes_of(std::span<const ByteSet> sets, std::array<uint8_t, 256>& classes) {
  constexpr uint16_t kNew = 256;
  std::array<uint16_t, 256> group{};
  uint16_t n = 1;
  for (const ByteSet& set : sets) {
    std::array<std::array<uint16_t, 2>, 256>
        split;  // a group's bytes outside of the set, and in it
    for (size_t i = 0; i < n; ++i) split[i] = {kNew, kNew};
    uint16_t next = 0;
    for (size_t b = 0; b < 256; ++b) {
      uint16_t& part = split[group[b]][set.has(static_cast<uint8_t>(b)) ? 1 : 0];
      if (part == kNew) part = next++;
      group[b] = part;
    }
    n = next;
    if (n == 256) break;
  }
  std::vector<uint8_t> representatives(n);
  for (size_t b = 256; b-- > 0;) {
    classes[b] = static_cast<uint8_t>(group[b]);
    representatives[group[b]] = static_cast<uint8_t>(b);
  }
  return representatives;
}

std::vector<ByteSet> sets_of_numbers() {
  std::vector<ByteSet> sets{ByteSet::of('.', '.')};
  for (uint8_t digit = '0'; digit <= '9'; ++digit) sets.push_back(ByteSet::of(digit, digit));
  return sets;
}

}  // namespace

void Expressions::set_classes() {
  std::vector<ByteSet> sets = sets_of_numbers();
  sets.insert(sets.end(), sets_.all().begin(), sets_.all().end());
  for (const Trigger& trigger : triggers_) {
    for (const char c : trigger.begin) {
      sets.push_back(ByteSet::of(static_cast<uint8_t>(c), static_cast<uint8_t>(c)));
    }
    sets.push_back(ByteSet::of(TokenTrie::kControl, TokenTrie::kControl));
  }
  groups_.set_classes(classes_, classes_of(sets, classes_).size());
}

int32_t Expressions::partition(ExprId id) {
  const int32_t known = rows_[static_cast<size_t>(id)].groups;
  if (known >= 0) return known;
  const int32_t found = find_partition(id);
  rows_[static_cast<size_t>(id)].groups = found;
  return found;
}

int32_t Expressions::partition_of_set(int32_t set) {
  const auto at = static_cast<size_t>(set);
  if (at >= set_groups_.size()) set_groups_.resize(sets_.size(), -1);
  if (set_groups_[at] < 0) set_groups_[at] = groups_.of(sets_[at]);
  return set_groups_[at];
}

// What the derivative looks at (Owens et al., section 4.2).
int32_t Expressions::find_partition(ExprId id) {
  const Depth depth(*this);
  const Expr e = at(id);
  switch (e.op) {
    case Op::nothing:
    case Op::empty:
      return ByteGroups::kOne;
    case Op::bytes:
      return partition_of_set(e.a);
    case Op::sequence: {
      const int32_t front = partition(e.a);
      return nullable(e.a) ? groups_.meet(front, partition(e.b)) : front;
    }
    case Op::any_of:
    case Op::all_of: {
      int32_t all = ByteGroups::kOne;
      for (size_t i = 0; i < list(e).size(); ++i) {
        all = groups_.meet(all, partition(list(e)[i]));
      }
      return all;
    }
    case Op::none_of:
    case Op::repeat:
    case Op::block:
      return partition(e.a);
    case Op::rule:
      return partition(body(e.a));
    case Op::unless:
      return groups_.meet(partition(e.a), partition(e.b));
    case Op::multiple:
    case Op::trigger:
      break;
  }
  return ByteGroups::kFinest;
}

// One byte of each class that the sets it is made of tell apart. Before seal().
std::vector<uint8_t> Expressions::bytes_of(ExprId id) {
  std::vector<ByteSet> sets = sets_of_numbers();
  std::vector<ExprId> open{id};
  std::set<ExprId> seen{id};
  for (size_t i = 0; i < open.size(); ++i) {
    const Expr e = at(open[i]);
    std::vector<ExprId> parts;
    if (e.op == Op::bytes) sets.push_back(sets_[static_cast<size_t>(e.a)]);
    if (e.op == Op::any_of || e.op == Op::all_of) parts.assign(list(e).begin(), list(e).end());
    if (e.op == Op::sequence) parts = {e.a, e.b};
    if (e.op == Op::none_of || e.op == Op::repeat || e.op == Op::block) parts = {e.a};
    for (const ExprId part : parts) {
      if (seen.insert(part).second) open.push_back(part);
    }
  }
  std::array<uint8_t, 256> classes{};
  return classes_of(sets, classes);
}

int32_t Expressions::find_first(ExprId id) {
  const int32_t found = make_first(id);
  if (sealed_ || at(id).regular) rows_[static_cast<size_t>(id)].first = found;
  return found;
}

int32_t Expressions::keep_first(const ByteSet& set) {
  firsts_.push_back(set);
  return static_cast<int32_t>(firsts_.size()) - 1;
}

int32_t Expressions::make_first(ExprId id) {
  const Depth depth(*this);
  const Expr e = at(id);
  switch (e.op) {
    case Op::nothing:
    case Op::empty:
      return keep_first({});
    case Op::bytes:
      return keep_first(set(e));
    case Op::sequence:
      if (!nullable(e.a)) return first(e.a);
      return keep_first(first_bytes(e.a) | first_bytes(e.b));
    case Op::any_of: {
      ByteSet all;
      for (size_t i = 0; i < list(e).size(); ++i) all = all | first_bytes(list(e)[i]);
      return keep_first(all);
    }
    case Op::all_of: {
      ByteSet all = ByteSet::all();
      for (size_t i = 0; i < list(e).size(); ++i) all = all & first_bytes(list(e)[i]);
      return keep_first(all);
    }
    case Op::repeat:
    case Op::block:
    case Op::unless:
      return first(e.a);
    case Op::rule:
      return first(body(e.a));
    case Op::multiple:
      return keep_first(ByteSet::of('0', '9') | ByteSet::of('.', '.'));
    case Op::none_of:
    case Op::trigger:
      break;
  }
  return keep_first(ByteSet::all());
}

}  // namespace strata::inference
