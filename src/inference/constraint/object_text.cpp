#include "inference/constraint/object_text.h"

#include <algorithm>

namespace strata::inference {
namespace {

constexpr ExprId kNothing = Expressions::kNothing;
constexpr ExprId kEmpty = Expressions::kEmpty;
constexpr size_t kMembersAtOnce = 32;
constexpr size_t kMostWitnesses = 4096;

}  // namespace

ObjectText::ObjectText(Expressions& x, JsonText& text, std::string_view close)
    : x_(x), comma_(text.comma()) {
  close_ = x.block(x.sequence(text.space(), x.text(close)));
}

void ObjectText::settle() {
  asks_ = std::ranges::any_of(named, [](const Named& each) { return !each.asks_for.empty(); });
  if (!asks_) return;
  asked_by_.assign(named.size(), {});
  for (size_t i = 0; i < named.size(); ++i) {
    for (const size_t other : named[i].asks_for) asked_by_[other].push_back(i);
  }
  const std::vector<bool> can = comers(start());
  for (size_t i = 0; i < named.size(); ++i) {
    if (!can[i]) named[i].member = kNothing;
  }
}

ExprId ObjectText::begin() {
  settle();
  const size_t n = asks_ && least > 0 && most != SIZE_MAX ? n_mutual() : 0;
  spare_ = n > 0 ? n - 1 : 0;
  return begin_at(start(), witness());
}

std::vector<bool> ObjectText::with_asked(std::vector<bool> names) const {
  if (!asks_) return names;
  std::vector<size_t> asking;
  for (size_t i = 0; i < named.size(); ++i) {
    if (names[i]) asking.push_back(i);
  }
  while (!asking.empty()) {
    const size_t i = asking.back();
    asking.pop_back();
    for (const size_t other : named[i].asks_for) {
      if (!names[other]) asking.push_back(other);
      names[other] = true;
    }
  }
  return names;
}

std::vector<bool> ObjectText::wanted(const Place& place) const {
  std::vector<bool> names = place.seen;
  for (size_t i = 0; i < named.size(); ++i) names[i] = names[i] || named[i].required;
  return with_asked(std::move(names));
}

std::vector<bool> ObjectText::comers(const Place& place) const {
  std::vector<bool> can(named.size());
  std::vector<size_t> gone;
  for (size_t i = 0; i < named.size(); ++i) {
    can[i] = may_come(place, i);
    if (!can[i] && !place.seen[i]) gone.push_back(i);
  }
  if (!asks_) return can;
  while (!gone.empty()) {
    const size_t one = gone.back();
    gone.pop_back();
    for (const size_t asker : asked_by_[one]) {
      if (can[asker]) gone.push_back(asker);
      can[asker] = false;
    }
  }
  return can;
}

size_t ObjectText::n_mutual() const {
  size_t n = 0;
  for (const Named& each : named) {
    x_.spend(static_cast<int64_t>(named.size()) / 64);
    std::vector<bool> asked(named.size());
    for (const size_t other : each.asks_for) asked[other] = true;
    n += with_asked(std::move(asked))[static_cast<size_t>(&each - named.data())] ? 1 : 0;
  }
  return n;
}

std::optional<ObjectText::Tally> ObjectText::tally(const Place& place) const {
  const std::vector<bool> can = comers(place);
  const std::vector<bool> must = wanted(place);
  Tally all{.seen = count(place.seen), .n_open = place.n_open};
  for (size_t i = 0; i < named.size(); ++i) {
    const bool missing = must[i] && !place.seen[i];
    if (missing && !can[i]) return std::nullopt;
    all.missing += missing ? 1 : 0;
    all.left += can[i] ? 1 : 0;
  }
  return all;
}

bool ObjectText::fits(const Tally& now) const {
  const size_t there = sure(now.seen, now.n_open);
  const size_t need = least > there ? least - there : 0;
  const size_t reach = now.left + (open != kNothing && now.n_open == 0 ? 1 : 0);
  if (need > reach) return false;
  if (most == SIZE_MAX) return true;
  const size_t come = need <= now.missing ? now.missing : std::min(need + spare_, reach);
  return now.seen + now.n_open + come <= most;
}

bool ObjectText::required_can_come(const Place& place) const {
  for (size_t i = 0; i < named.size(); ++i) {
    if (named[i].required && !place.seen[i] && !may_come(place, i)) return false;
  }
  return true;
}

ExprId ObjectText::witness() {
  const std::vector<bool> must = wanted(start());
  ExprId all = kEmpty;
  std::vector<ExprId> others;
  for (size_t i = 0; i < named.size(); ++i) {
    if (must[i]) {
      all = x_.sequence(named[i].member, all);
    } else if (named[i].member != kNothing) {
      others.push_back(named[i].member);
    }
  }
  if (open != kNothing) others.push_back(open);
  const size_t n = count(must);
  return x_.sequence(all, least > n ? some_of(others, least - n) : kEmpty);
}

ExprId ObjectText::some_of(const std::vector<ExprId>& members, size_t n) {
  const size_t size = members.size();
  if (n > size) return kNothing;
  if (n * (size - n + 1) > kMostWitnesses) n = 1;
  std::vector<ExprId> some(n + 1, kNothing);  // where so many of those so far have one
  some[0] = kEmpty;
  for (size_t i = 0; i < size; ++i) {
    const size_t behind = size - 1 - i;
    for (size_t k = std::min(n, i + 1); k > 0 && k + behind >= n; --k) {
      some[k] = x_.any_of({some[k], x_.sequence(members[i], some[k - 1])});
    }
  }
  return some[n];
}

ExprId ObjectText::begin_at(const Place& place, ExprId witness) {
  const auto known = rules_.find(place);
  if (known != rules_.end()) return known->second;
  if (!possible(place)) return kNothing;
  const ExprId rule = later([place](ObjectText& self) { return self.text_at(place); }, witness);
  rules_.emplace(place, rule);
  return rule;
}

ExprId ObjectText::any_member(const Place& place, const std::vector<Left>& left) {
  std::vector<ExprId> members;
  if (left.size() <= kMembersAtOnce) {
    for (const auto& [name, text] : left) members.push_back(x_.sequence(text, behind(place, name)));
    return x_.any_of(members);
  }
  std::map<uint8_t, std::vector<Left>> by_byte;
  for (const Left& each : left) {
    if (const auto byte = x_.first_bytes(each.text).single()) {
      by_byte[*byte].push_back({each.name, x_.derivative(each.text, *byte)});
    } else {
      members.push_back(x_.sequence(each.text, behind(place, each.name)));
    }
  }
  for (auto& [byte, more] : by_byte) {
    const auto body = [place, more = std::move(more)](ObjectText& self) {
      return self.any_member(place, more);
    };
    members.push_back(x_.sequence(x_.bytes(ByteSet::of(byte, byte)), later(body, kEmpty)));
  }
  return x_.any_of(members);
}

ExprId ObjectText::behind(const Place& place, size_t name) {
  Place next = after(place, name);
  // Which of those before were there makes no difference then: places are as many as names.
  if (in_order && nothing_depends()) std::fill_n(next.seen.begin(), next.next, true);
  return follow(next);
}

ObjectText::Place ObjectText::after(Place place, size_t name) const {
  place.seen[name] = true;
  place.first = false;
  if (in_order) place.next = name + 1;
  return place;
}

bool ObjectText::leaves_others(size_t name) const {
  if (!asks_) return true;
  return !in_order && (named[name].asks_for.empty() || (least == 0 && most == SIZE_MAX));
}

std::vector<ObjectText::Left> ObjectText::left_at(const Place& place) const {
  if (nothing_depends()) return left_of_free(place);
  const std::vector<bool> must = wanted(place);
  const Tally now = tally(place).value_or(Tally{});
  std::vector<Left> left;
  size_t passed = 0;
  for (size_t i = 0; i < named.size(); ++i) {
    if (!may_come(place, i)) continue;
    const Tally next{.seen = now.seen + 1,
                     .n_open = now.n_open,
                     .missing = now.missing - (must[i] ? 1 : 0),
                     .left = now.left - passed - 1};
    if (leaves_others(i) ? fits(next) : possible(after(place, i))) {
      left.push_back({i, named[i].member});
    }
    if (!in_order) continue;
    if (must[i]) break;  // which is not passed over
    ++passed;
  }
  return left;
}

std::vector<ObjectText::Left> ObjectText::left_of_free(const Place& place) const {
  std::vector<Left> left;
  for (size_t i = place.next; i < named.size(); ++i) {
    if (!may_come(place, i)) continue;
    left.push_back({i, named[i].member});
    if (in_order && named[i].required) break;  // which is not passed over
  }
  return left;
}

ExprId ObjectText::text_at(const Place& place) {
  std::vector<ExprId> members{any_member(place, left_at(place))};
  if (open != kNothing) {
    Place next = place;
    next.first = false;
    const size_t counted = most == SIZE_MAX ? (least > 0 ? 1 : 0) : most + 1;
    next.n_open = std::min(place.n_open + 1, counted);
    members.push_back(x_.sequence(open, follow(next)));
  }
  const ExprId more = x_.sequence(place.first ? kEmpty : comma_, x_.any_of(members));
  const std::vector<bool> must = wanted(place);
  bool may_close = sure(count(place.seen), place.n_open) >= least;
  for (size_t i = 0; i < named.size(); ++i) may_close = may_close && (place.seen[i] || !must[i]);
  return x_.any_of({more, may_close ? close_ : kNothing});
}

}  // namespace strata::inference
