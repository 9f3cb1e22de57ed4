#include "inference/constraint/schema_object.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "core/error.h"
#include "inference/constraint/code_points.h"
#include "inference/constraint/limits.h"
#include "inference/constraint/regex.h"

namespace strata::inference {
namespace {

constexpr ExprId kNothing = Expressions::kNothing;
constexpr ExprId kEmpty = Expressions::kEmpty;
constexpr size_t kMembersAtOnce = 32;
constexpr size_t kMostWitnesses = 4096;

// One object schema, whose members are expressions. What may follow depends on which names were
// there; those places are made when a text gets to them. Or an array whose items differ: they are
// the members.
class ObjectText : public std::enable_shared_from_this<ObjectText> {
 public:
  ObjectText(Expressions& x, JsonText& text, std::string_view close) : x_(x), comma_(text.comma()) {
    close_ = x.block(x.sequence(text.space(), x.text(close)));
  }

  struct Named {
    std::string name;
    ExprId member = kNothing;  // key, colon, value
    bool required = false;
    std::vector<size_t> asks_for;  // names that must be there, too
  };
  std::vector<Named> named;
  ExprId open = kNothing;  // a member with another name
  size_t least = 0, most = SIZE_MAX;
  bool in_order = false;  // names come in the order of `named`; one that was passed over is gone

  // What asks for a name that cannot come cannot come either.
  void settle() {
    asked_by_.assign(named.size(), {});
    for (size_t i = 0; i < named.size(); ++i) {
      for (const size_t other : named[i].asks_for) asked_by_[other].push_back(i);
    }
    const std::vector<bool> can = comers(start());
    for (size_t i = 0; i < named.size(); ++i) {
      if (!can[i]) named[i].member = kNothing;
    }
  }

  // What follows `{`.
  ExprId begin() {
    settle();
    asks_ = std::ranges::any_of(named, [](const Named& each) { return !each.asks_for.empty(); });
    const size_t n = asks_ && least > 0 && most != SIZE_MAX ? n_mutual() : 0;
    spare_ = n > 0 ? n - 1 : 0;
    return begin_at(start(), witness());
  }

 private:
  struct Place {
    std::vector<bool> seen;
    size_t next = 0;    // in order: names before it do not come any more
    size_t n_open = 0;  // as far as it counts
    bool first = false;
    auto operator<=>(const Place&) const = default;
  };
  // What there is at a place, and what can come.
  struct Tally {
    size_t seen = 0, n_open = 0;
    size_t missing = 0;  // names that have to come
    size_t left = 0;     // that can come, with those
  };

  Place start() const { return {std::vector<bool>(named.size()), 0, 0, true}; }

  // These names and all that they ask for.
  std::vector<bool> with_asked(std::vector<size_t> names) const {
    std::vector<bool> all(named.size());
    for (const size_t i : names) all[i] = true;
    while (!names.empty()) {
      const size_t i = names.back();
      names.pop_back();
      for (const size_t other : named[i].asks_for) {
        if (!all[other]) names.push_back(other);
        all[other] = true;
      }
    }
    return all;
  }

  // Names that have to be there, those that are included.
  std::vector<bool> wanted(const Place& place) const {
    std::vector<size_t> names;
    for (size_t i = 0; i < named.size(); ++i) {
      if (place.seen[i] || named[i].required) names.push_back(i);
    }
    return with_asked(std::move(names));
  }

  // Names that can still come, with all that they ask for.
  std::vector<bool> comers(const Place& place) const {
    std::vector<bool> can(named.size());
    std::vector<size_t> gone;
    for (size_t i = 0; i < named.size(); ++i) {
      can[i] = may_come(place, i);
      if (!can[i] && !place.seen[i]) gone.push_back(i);
    }
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

  // Names that ask for themselves through others: they come together or not at all.
  size_t n_mutual() const {
    size_t n = 0;
    for (const Named& each : named) {
      x_.spend(static_cast<int64_t>(named.size()) / 64);
      n += with_asked(each.asks_for)[static_cast<size_t>(&each - named.data())] ? 1 : 0;
    }
    return n;
  }

  static size_t count(const std::vector<bool>& seen) {
    return static_cast<size_t>(std::count(seen.begin(), seen.end(), true));
  }

  bool may_come(const Place& place, size_t name) const {
    return !place.seen[name] && name >= place.next && named[name].member != kNothing;
  }

  // Nothing: a name that has to come cannot.
  std::optional<Tally> tally(const Place& place) const {
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

  // Of names that are not said one by one any two may be the same: one of them counts.
  static size_t sure(size_t seen, size_t n_open) { return seen + std::min<size_t>(n_open, 1); }

  // Whether the numbers of names let an object be completed. Names can be added one by one, each
  // behind those that it asks for, but for those that ask for each other.
  bool fits(const Tally& now) const {
    const size_t there = sure(now.seen, now.n_open);
    const size_t need = least > there ? least - there : 0;
    const size_t reach = now.left + (open != kNothing && now.n_open == 0 ? 1 : 0);
    if (need > reach) return false;
    if (most == SIZE_MAX) return true;
    const size_t come = need <= now.missing ? now.missing : std::min(need + spare_, reach);
    return now.seen + now.n_open + come <= most;
  }

  // Whether an object that has got so far can be completed.
  bool possible(const Place& place) const {
    const std::optional<Tally> now = tally(place);
    return now && fits(*now);
  }

  // It has a text where enough of the members have one.
  ExprId witness() {
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

  // It has a text where n of these have one; one of them, where that would be much to write.
  ExprId some_of(const std::vector<ExprId>& members, size_t n) {
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

  ExprId begin_at(const Place& place, ExprId witness) {
    if (!possible(place)) return kNothing;
    const auto known = rules_.find(place);
    if (known != rules_.end()) return known->second;
    const ExprId rule = later([place](ObjectText& self) { return self.text_at(place); }, witness);
    rules_.emplace(place, rule);
    return rule;
  }
  ExprId follow(const Place& place) { return begin_at(place, kEmpty); }

  template <typename Body>
  ExprId later(Body body, ExprId witness) {
    return x_.rule(x_.add_rule([self = shared_from_this(), body] { return body(*self); }, witness));
  }

  // What is left of the text of a member that has begun.
  struct Left {
    size_t name;
    ExprId text;
  };

  // Any of the members. Of many the next byte is told apart first: an object of a thousand names
  // has a thousand places, and each would have an expression a name.
  ExprId any_member(const Place& place, const std::vector<Left>& left) {
    std::vector<ExprId> members;
    if (left.size() <= kMembersAtOnce) {
      for (const auto& [name, text] : left)
        members.push_back(x_.sequence(text, behind(place, name)));
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
  // As in `left_at`, where it is possible.
  ExprId behind(const Place& place, size_t name) {
    Place next = after(place, name);
    // Which of those before were there makes no difference then: places are as many as names.
    if (in_order && nothing_depends()) std::fill_n(next.seen.begin(), next.next, true);
    return follow(next);
  }
  Place after(Place place, size_t name) const {
    place.seen[name] = true;
    place.first = false;
    if (in_order) place.next = name + 1;
    return place;
  }

  // Whether no name asks for another one, and nothing counts them.
  bool nothing_depends() const { return least == 0 && most == SIZE_MAX && !asks_; }

  // Whether which others can come, and have to, follows from their numbers when this one is there.
  // In any order what it asks for can come, or settle() had left it out.
  bool leaves_others(size_t name) const {
    if (!asks_) return true;
    return !in_order && (named[name].asks_for.empty() || (least == 0 && most == SIZE_MAX));
  }

  // The names that may come next: an object with any of them can be completed.
  std::vector<Left> left_at(const Place& place) const {
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

  ExprId text_at(const Place& place) {
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

  Expressions& x_;
  const ExprId comma_;
  ExprId close_ = kNothing;
  std::map<Place, ExprId> rules_;
  std::vector<std::vector<size_t>> asked_by_;
  bool asks_ = false;  // a name for another one
  size_t spare_ = 0;   // as many names more than are needed may have to come
};

class ObjectBuilder {
 public:
  ObjectBuilder(Expressions& x, JsonText& text, const SchemaDocument& document, const Shape& shape,
                const MemberMarks& marks, const SchemaValues& values)
      : x_(x), text_(text), document_(document), shape_(shape), marks_(marks), values_(values) {}

  ExprId build() {
    const auto object = std::make_shared<ObjectText>(x_, text_, marks_.close);
    if (!shape_.names.empty()) {
      if (marks_.bare_names) {
        document_.refuse(*shape_.origin, "propertyNames",
                         "propertyNames is not honoured where names stand without quotes");
      }
      names_ = values_.names_of(shape_.names);
    }
    object->in_order = text_.style().members == Members::as_listed;
    for (const std::string& name : all_names()) object->named.push_back(named(name));
    for (const auto& [name, others] : shape_.dependents) {
      for (const std::string& other : others) {
        object->named[index_of(*object, name)].asks_for.push_back(index_of(*object, other));
      }
    }
    object->settle();
    if (listed()) close(*object);
    object->open = open_member(*object);
    object->least = static_cast<size_t>(shape_.min_properties);
    if (shape_.max_properties >= 0) object->most = static_cast<size_t>(shape_.max_properties);
    size_t possible = object->open != kNothing ? 1 : 0;
    for (const auto& one : object->named) possible += one.member != kNothing ? 1 : 0;
    if (object->least > possible) {
      if (object->open == kNothing) return kNothing;
      document_.refuse(
          *shape_.origin, "minProperties",
          fmt::format("{} properties are asked for, of which only {} can be told apart",
                      object->least, possible),
          "name more of them under properties");
    }
    return x_.sequence(x_.block(x_.sequence(x_.text(marks_.open), text_.space())), object->begin());
  }

 private:
  // Whether the schema lists properties and says nothing of others: who wrote it so means these.
  bool listed() const {
    return text_.style().members == Members::as_listed && !shape_.open &&
           std::ranges::any_of(shape_.objects, &ObjectPart::lists) &&
           std::ranges::none_of(shape_.objects, &ObjectPart::additional);
  }

  // Other names do not come, unless those that do are too few.
  void close(ObjectText& object) {
    const std::set<std::string> meant = meant_names(object);
    const auto comes = [&](const ObjectText::Named& one) {
      return one.member != kNothing && meant.contains(one.name);
    };
    closed_ = std::ranges::count_if(object.named, comes) >= shape_.min_properties;
    if (!closed_) return;
    for (auto& one : object.named) {
      if (!comes(one)) one.member = kNothing;
    }
  }

  // Names that are listed, required or match a pattern, and those that these ask for; the others
  // are only asked whether they are there.
  std::set<std::string> meant_names(const ObjectText& object) {
    std::set<std::string> meant;
    for (const ObjectPart& part : shape_.objects) {
      if (!part.lists) continue;
      for (const auto& [name, _] : part.properties) meant.insert(name);
    }
    for (const auto& one : object.named) {
      const bool required = one.required && !shape_.supposed.contains(one.name);
      if (required || (!meant.contains(one.name) && has_pattern_of(one.name))) {
        meant.insert(one.name);
      }
    }
    for (size_t before = 0; before < meant.size();) {
      before = meant.size();
      x_.spend();
      for (const auto& [name, others] : shape_.dependents) {
        if (meant.contains(name)) meant.insert(others.begin(), others.end());
      }
    }
    return meant;
  }
  bool has_pattern_of(const std::string& name) {
    return std::ranges::any_of(shape_.objects, [&](const ObjectPart& part) {
      return std::ranges::any_of(part.patterns, [&](const auto& pattern) {
        return x_.matches(parse_regex(x_, pattern.first, {.whole = false}), name);
      });
    });
  }

  std::vector<std::string> all_names() const {
    std::vector<std::string> names;
    const auto add = [&](const std::string& name) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    };
    for (const ObjectPart& part : shape_.objects) {
      for (const auto& [name, _] : part.properties) add(name);
    }
    for (const std::string& name : shape_.required) add(name);
    for (const auto& [name, others] : shape_.dependents) {
      add(name);
      for (const std::string& other : others) add(other);
    }
    if (names.size() > kMaxProperties) {
      document_.refuse(
          *shape_.origin, "",
          fmt::format("an object has {} names, the limit is {}", names.size(), kMaxProperties));
    }
    return names;
  }

  static size_t index_of(const ObjectText& object, const std::string& name) {
    const auto at = std::find_if(object.named.begin(), object.named.end(),
                                 [&](const auto& one) { return one.name == name; });
    return static_cast<size_t>(at - object.named.begin());
  }

  ObjectText::Named named(const std::string& name) {
    ObjectText::Named one;
    one.name = name;
    one.required = shape_.required.contains(name);
    const ExprId key = text_.name(name, marks_.bare_names);
    if (names_ && x_.all_of({key, *names_}) == kNothing) return one;
    const ExprId value = values_.value_of(schemas_of_name(x_, shape_, name));
    one.member = x_.sequence({x_.block(key), marks_.colon, value});
    return one;
  }

  // Names that are not said one by one, by which patterns they match.
  ExprId open_member(const ObjectText& object) {
    std::vector<std::string> patterns;
    for (const ObjectPart& part : shape_.objects) {
      for (const auto& [pattern, _] : part.patterns) {
        if (std::find(patterns.begin(), patterns.end(), pattern) == patterns.end()) {
          patterns.push_back(pattern);
        }
      }
    }
    if (patterns.size() > kMaxPatternProperties) {
      document_.refuse(*shape_.origin, "patternProperties",
                       fmt::format("there are {} patterns of names, the limit is {}",
                                   patterns.size(), kMaxPatternProperties));
    }
    std::vector<ExprId> contents;
    for (const std::string& pattern : patterns) contents.push_back(pattern_of(pattern));
    std::vector<std::string> taken;
    for (const auto& one : object.named) taken.push_back(spell(one.name, spelling()));
    const ExprId others = x_.none_of(x_.texts(std::move(taken)));
    std::vector<ExprId> members;
    for (size_t chosen = closed_ ? 1 : 0; chosen < size_t{1} << patterns.size(); ++chosen) {
      const ExprId value = values_.value_of(schemas_for(patterns, chosen));
      if (value == kNothing) continue;
      const bool any = patterns.empty() && object.named.empty() && !names_;
      ExprId key = marks_.bare_names ? x_.block(text_.bare_name()) : text_.any_string();
      if (!any) {
        std::vector<ExprId> parts{marks_.bare_names ? text_.bare_name() : text_.plain_content(),
                                  others};
        for (size_t i = 0; i < patterns.size(); ++i) {
          parts.push_back((chosen >> i & 1) != 0 ? contents[i] : x_.none_of(contents[i]));
        }
        const ExprId content = x_.all_of(parts);
        key = marks_.bare_names ? content : text_.quoted(content);
        if (names_) key = x_.all_of({key, *names_});
        key = x_.block(key);
      }
      members.push_back(x_.sequence({key, marks_.colon, value}));
    }
    return x_.any_of(members);
  }

  Spelling spelling() const {
    return marks_.bare_names ? Spelling::plain : text_.style().spelling();
  }

  ExprId pattern_of(const std::string& pattern) {
    try {
      return parse_regex(x_, pattern, {.spelling = spelling(), .whole = false});
    } catch (const Error& error) {
      document_.refuse(*shape_.origin, "patternProperties", error.message(), error.hint());
    }
  }

  Schemas schemas_for(const std::vector<std::string>& patterns, size_t chosen) const {
    Schemas schemas;
    for (const ObjectPart& part : shape_.objects) {
      bool named = false;
      for (const auto& [pattern, schema] : part.patterns) {
        const auto at = std::find(patterns.begin(), patterns.end(), pattern) - patterns.begin();
        if ((chosen >> at & 1) == 0) continue;
        named = true;
        schemas.push_back(schema);
      }
      if (!named && part.additional != nullptr) schemas.push_back(part.additional);
    }
    std::sort(schemas.begin(), schemas.end());
    schemas.erase(std::unique(schemas.begin(), schemas.end()), schemas.end());
    return schemas;
  }

  Expressions& x_;
  JsonText& text_;
  const SchemaDocument& document_;
  const Shape& shape_;
  const MemberMarks marks_;
  const SchemaValues& values_;
  std::optional<ExprId> names_;  // of propertyNames
  bool closed_ = false;          // other names are those of patterns only
};

}  // namespace

ExprId object_text(Expressions& x, JsonText& text, const SchemaDocument& document,
                   const Shape& shape, const MemberMarks& marks, const SchemaValues& values) {
  return ObjectBuilder(x, text, document, shape, marks, values).build();
}

ExprId different_items(Expressions& x, JsonText& text, const std::vector<ExprId>& items,
                       size_t least, size_t most) {
  if (least > std::min(items.size(), most)) return kNothing;
  const auto array = std::make_shared<ObjectText>(x, text, "]");
  for (const ExprId item : items) {
    array->named.emplace_back();
    array->named.back().member = item;
  }
  array->least = least;
  array->most = most;
  return x.sequence(x.block(x.sequence(x.text("["), text.space())), array->begin());
}

}  // namespace strata::inference
