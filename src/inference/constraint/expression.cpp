#include "inference/constraint/expression.h"

#include <algorithm>

#include "core/check.h"
#include "core/error.h"
#include "inference/constraint/limits.h"

namespace strata::inference {
namespace {

constexpr size_t kUsualParts = 12;  // are not more

}  // namespace

Expressions::Expressions() : slots_(1024, 0), steps_(kCompileSteps) {
  intern({.op = Op::nothing});
  intern({.op = Op::empty});
  intern({.op = Op::none_of, .conjunction = true, .a = kNothing});
}

size_t Expressions::hash_of(const Expr& e, std::span<const ExprId> list) const {
  uint64_t h = static_cast<uint64_t>(e.op) + 1;
  const auto mix = [&h](uint64_t v) {
    h = (h ^ v) * 0x9E3779B97F4A7C15u;
    h ^= h >> 29;
  };
  if (e.op == Op::any_of || e.op == Op::all_of) {
    for (const ExprId part : list) mix(static_cast<uint64_t>(part));
    return h;
  }
  mix(static_cast<uint32_t>(e.a));
  mix(static_cast<uint32_t>(e.b));
  mix(static_cast<uint32_t>(e.c));
  return h;
}

bool Expressions::same(const Expr& known, const Expr& e, std::span<const ExprId> parts) const {
  if (known.op != e.op) return false;
  if (e.op == Op::any_of || e.op == Op::all_of) return std::ranges::equal(list(known), parts);
  return known.a == e.a && known.b == e.b && known.c == e.c;
}

void Expressions::grow_slots() {
  std::vector<int32_t> old(slots_.size() * 2, 0);
  old.swap(slots_);
  const size_t mask = slots_.size() - 1;
  for (const int32_t slot : old) {
    if (slot == 0) continue;
    const Expr& e = at(slot - 1);
    const bool has_list = e.op == Op::any_of || e.op == Op::all_of;
    size_t i = hash_of(e, has_list ? list(e) : std::span<const ExprId>{}) & mask;
    while (slots_[i] != 0) i = (i + 1) & mask;
    slots_[i] = slot;
  }
}

ExprId Expressions::intern(Expr e, std::span<const ExprId> parts) {
  const size_t mask = slots_.size() - 1;
  size_t i = hash_of(e, parts) & mask;
  for (; slots_[i] != 0; i = (i + 1) & mask) {
    if (same(at(slots_[i] - 1), e, parts)) return slots_[i] - 1;
  }
  if (exprs_.size() >= kMaxExpressions || lists_.size() >= 8 * kMaxExpressions) {
    throw Error(
        Code::resource_exhausted,
        fmt::format("the rule of the output leads to more than {} expressions", kMaxExpressions),
        "make the rule simpler, or the answer shorter");
  }
  if (e.op == Op::any_of || e.op == Op::all_of) {
    e.a = static_cast<int32_t>(lists_.size());
    e.b = static_cast<int32_t>(parts.size());
    lists_.insert(lists_.end(), parts.begin(), parts.end());
  }
  const auto id = static_cast<ExprId>(exprs_.size());
  exprs_.push_back(e);
  rows_.push_back({});
  slots_[i] = id + 1;
  if (exprs_.size() * 2 > slots_.size()) grow_slots();
  return id;
}

template <typename Value>
int32_t Expressions::number_of(Numbered<Value>& known, const Value& value) {
  const size_t n_before = known.size();
  const int32_t number = known.number_of(value);
  if (known.size() > n_before) spend();
  return number;
}

ExprId Expressions::bytes(const ByteSet& set) {
  if (set.empty()) return kNothing;
  return intern({.op = Op::bytes, .a = number_of(sets_, set)});
}

ExprId Expressions::text(std::string_view literal) {
  ExprId id = kEmpty;
  for (size_t i = literal.size(); i-- > 0;) {
    const auto byte = static_cast<uint8_t>(literal[i]);
    id = sequence(bytes(ByteSet::of(byte, byte)), id);
  }
  return id;
}

// As a tree of their beginnings, so that a byte leads to one branch.
ExprId Expressions::texts(std::vector<std::string> literals) {
  std::sort(literals.begin(), literals.end());
  literals.erase(std::unique(literals.begin(), literals.end()), literals.end());
  const std::function<ExprId(size_t, size_t, size_t)> tree = [&](size_t from, size_t to,
                                                                 size_t depth) -> ExprId {
    if (to - from == 1) return text(std::string_view(literals[from]).substr(depth));
    std::vector<ExprId> parts;
    if (literals[from].size() == depth) {
      parts.push_back(kEmpty);
      ++from;
    }
    while (from < to) {
      // What these have in common is one branch, however long it is.
      size_t end = from;
      while (end < to && literals[end][depth] == literals[from][depth]) ++end;
      size_t common = depth + 1;
      while (common < literals[from].size() && common < literals[end - 1].size() &&
             literals[from][common] == literals[end - 1][common]) {
        ++common;
      }
      const auto begin = std::string_view(literals[from]).substr(depth, common - depth);
      parts.push_back(sequence(text(begin), tree(from, end, common)));
      from = end;
    }
    return any_of(parts);
  };
  return literals.empty() ? kNothing : tree(0, literals.size(), 0);
}

ExprId Expressions::sequence(ExprId a, ExprId b) {
  if (a == kNothing || b == kNothing) return kNothing;
  if (a == kEmpty) return b;
  if (b == kEmpty) return a;
  if (at(a).op == Op::sequence) {
    std::vector<ExprId> parts;
    parts.reserve(kUsualParts);
    for (; at(a).op == Op::sequence; a = at(a).b) parts.push_back(at(a).a);
    b = sequence(a, b);
    for (size_t i = parts.size(); i-- > 0;) b = sequence(parts[i], b);
    return b;
  }
  const Expr left = at(a);
  const Expr right = at(b);
  const bool twice = left.op == Op::repeat && left.b == 0 && left.c == -1;
  if (twice && (b == a || (right.op == Op::sequence && right.a == a))) return b;
  return intern({.op = Op::sequence,
                 .regular = left.regular && right.regular,
                 .conjunction = left.conjunction || right.conjunction,
                 .a = a,
                 .b = b});
}

ExprId Expressions::sequence(std::initializer_list<ExprId> parts) {
  ExprId id = kEmpty;
  for (auto part = std::rbegin(parts); part != std::rend(parts); ++part) id = sequence(*part, id);
  return id;
}

// Whether no two of few parts become one; else not known.
bool Expressions::is_factored(const Parts& parts) const {
  if (parts.size() > kUsualParts) return false;
  for (size_t i = 1; i < parts.size(); ++i) {
    const Expr& e = at(parts[i]);
    for (size_t j = 0; j < i; ++j) {
      const Expr& other = at(parts[j]);
      if (e.op != other.op) continue;
      if (e.op == Op::bytes || e.op == Op::block) return false;
      if (e.op == Op::sequence && e.b == other.b) return false;
    }
  }
  return true;
}

// Parts that go on alike become one: (a k | b k) = (a | b) k; so do sets, and blocks.
void Expressions::factor(Parts& parts) {
  if (is_factored(parts)) return;
  ByteSet set;
  Parts blocks;
  std::vector<std::pair<ExprId, ExprId>> tails;  // what goes on, what is in front of it
  Parts kept;
  for (const ExprId part : parts) {
    const Expr& e = at(part);
    if (e.op == Op::bytes) {
      set = set | sets_[static_cast<size_t>(e.a)];
    } else if (e.op == Op::block) {
      blocks.push_back(e.a);
    } else if (e.op == Op::sequence) {
      tails.emplace_back(e.b, e.a);
    } else {
      kept.push_back(part);
    }
  }
  if (!set.empty()) kept.push_back(bytes(set));
  if (!blocks.empty()) kept.push_back(block(any_of(blocks)));
  std::sort(tails.begin(), tails.end());
  for (size_t i = 0; i < tails.size();) {
    Parts heads;
    const ExprId tail = tails[i].first;
    for (; i < tails.size() && tails[i].first == tail; ++i) heads.push_back(tails[i].second);
    kept.push_back(sequence(heads.size() == 1 ? heads[0] : any_of(heads), tail));
  }
  parts = std::move(kept);
}

// With the parts of inner lists in their place, and without `neutral`; most have neither.
Expressions::Parts Expressions::flatten(std::span<const ExprId> parts, Op op,
                                        ExprId neutral) const {
  Parts flat;
  for (const ExprId part : parts) {
    if (at(part).op == op) {
      const auto inner = list(at(part));
      flat.insert(flat.end(), inner.begin(), inner.end());
    } else if (part != neutral) {
      flat.push_back(part);
    }
  }
  return flat;
}

ExprId Expressions::any_of(std::span<const ExprId> parts) {
  if (parts.empty()) return kNothing;
  if (parts.size() == 1) return parts[0];
  Parts flat = flatten(parts, Op::any_of, kNothing);
  const auto order = [&] {
    std::sort(flat.begin(), flat.end());
    flat.erase(std::unique(flat.begin(), flat.end()), flat.end());
  };
  order();
  if (flat.size() > 1) {
    factor(flat);
    order();
  }
  if (flat.empty()) return kNothing;
  if (flat.size() == 1) return flat[0];
  Expr made{.op = Op::any_of};
  for (const ExprId part : flat) {
    const Expr& e = at(part);
    if (part == kAnyText) return part;
    made.regular = made.regular && e.regular;
    made.conjunction = made.conjunction || e.conjunction;
  }
  return intern(made, flat);
}

// Whether each text of a is one of b, where that is plain to see: a string of limited length among
// those of any.
bool Expressions::is_part_of(ExprId a, ExprId b) const {
  constexpr int kMost = 32;
  for (int i = 0; i < kMost; ++i) {
    if (a == b) return true;
    const auto head = [&](ExprId id) { return at(id).op == Op::sequence ? at(id).a : id; };
    const auto tail = [&](ExprId id) { return at(id).op == Op::sequence ? at(id).b : kEmpty; };
    const Expr& known = at(head(a));
    const Expr& wide = at(head(b));
    if (wide.op != Op::repeat) {
      if (head(a) != head(b)) return false;
      a = tail(a);
    } else if (known.op == Op::repeat && known.a == wide.a && tail(a) == tail(b)) {
      return wide.b <= known.b && (wide.c < 0 || (known.c >= 0 && known.c <= wide.c));
    } else if (wide.b > 0) {
      return false;
    }
    b = tail(b);
  }
  return false;
}

ExprId Expressions::all_of(std::span<const ExprId> parts) {
  for (const ExprId part : parts) {
    if (part == kNothing) return kNothing;
    CHECK(at(part).regular);
  }
  Parts flat = flatten(parts, Op::all_of, kAnyText);
  std::sort(flat.begin(), flat.end());
  flat.erase(std::unique(flat.begin(), flat.end()), flat.end());
  constexpr size_t kFewParts = 8;
  for (size_t i = 0; i < flat.size() && flat.size() <= kFewParts;) {
    const bool wide = std::ranges::any_of(
        flat, [&](ExprId part) { return part != flat[i] && is_part_of(part, flat[i]); });
    if (wide) {
      flat.erase(flat.begin() + static_cast<ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
  if (flat.empty()) return kAnyText;
  if (flat.size() == 1) return flat[0];
  if (flat[0] == kEmpty) {
    return std::all_of(flat.begin(), flat.end(), [&](ExprId p) { return nullable(p); }) ? kEmpty
                                                                                        : kNothing;
  }
  const ExprId id = intern({.op = Op::all_of, .conjunction = true}, flat);
  return searching_ || is_live(id) ? id : kNothing;
}

ExprId Expressions::none_of(ExprId a) {
  CHECK(at(a).regular);
  if (at(a).op == Op::none_of) return at(a).a;
  return intern({.op = Op::none_of, .conjunction = true, .a = a});
}

ExprId Expressions::repeat(ExprId a, int32_t least, int32_t most) {
  CHECK(least >= 0 && (most == -1 || most >= least));
  if (most == 0 || a == kEmpty) return kEmpty;
  if (a == kNothing) return least == 0 ? kEmpty : kNothing;
  if (least == 1 && most == 1) return a;
  const Expr inner = at(a);
  if (inner.op == Op::repeat && inner.b == 0 && inner.c == -1) return a;
  return intern({.op = Op::repeat,
                 .regular = inner.regular,
                 .conjunction = inner.conjunction,
                 .a = a,
                 .b = least,
                 .c = most});
}

ExprId Expressions::block(ExprId a) {
  const Expr& inner = at(a);
  if (a == kNothing || a == kEmpty || inner.op == Op::block) return a;
  CHECK(inner.regular);
  return intern({.op = Op::block, .conjunction = inner.conjunction, .a = a});
}

ExprId Expressions::multiple(const Multiple& state) {
  return intern({.op = Op::multiple, .a = number_of(multiples_, state)});
}

int32_t Expressions::add_rule() {
  rules_.push_back({});
  return static_cast<int32_t>(rules_.size()) - 1;
}

int32_t Expressions::add_rule(std::function<ExprId()> body, ExprId witness) {
  rules_.push_back({.make = std::move(body), .witness = witness});
  return static_cast<int32_t>(rules_.size()) - 1;
}

ExprId Expressions::rule(int32_t rule) {
  return intern({.op = Op::rule, .regular = false, .a = rule});
}

ExprId Expressions::body(int32_t rule) {
  const auto at = static_cast<size_t>(rule);
  if (rules_[at].body < 0) {
    const std::function<ExprId()> make = rules_[at].make;
    const ExprId made = make();  // which may add rules
    rules_[at].body = made;
  }
  return rules_[at].body;
}

ExprId Expressions::unless(ExprId a, ExprId b) {
  if (a == kNothing || b == kNothing) return a;
  return intern({.op = Op::unless, .regular = false, .a = a, .b = b});
}

ExprId Expressions::free_text(std::vector<Trigger> triggers) {
  triggers_ = std::move(triggers);
  return intern({.op = Op::trigger, .regular = false, .a = 0});
}

}  // namespace strata::inference
