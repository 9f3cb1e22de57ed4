// The text of a JSON object whose members are expressions: which names may come next, and when it
// may end, so that no text leads where there is no end. An array of different items is one, too.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inference/constraint/json_text.h"

namespace strata::inference {

// Its members are set, then comes begin(). What may follow depends on which names were there; those
// places are made when a text gets to them.
class ObjectText : public std::enable_shared_from_this<ObjectText> {
 public:
  ObjectText(Expressions& x, JsonText& text, std::string_view close);

  struct Named {
    std::string name;
    ExprId member = Expressions::kNothing;  // key, colon, value
    bool required = false;
    std::vector<size_t> asks_for;  // names that must be there, too
  };
  std::vector<Named> named;
  ExprId open = Expressions::kNothing;  // a member with another name
  size_t least = 0, most = SIZE_MAX;
  bool in_order = false;  // names come in the order of `named`; one that was passed over is gone

  // What asks for a name that cannot come cannot come either.
  void settle();

  // What follows `{`.
  ExprId begin();

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
  std::vector<bool> with_asked(std::vector<bool> names) const;

  // Names that have to be there, those that are included.
  std::vector<bool> wanted(const Place& place) const;

  // Names that can still come, with all that they ask for.
  std::vector<bool> comers(const Place& place) const;

  // Names that ask for themselves through others: they come together or not at all.
  size_t n_mutual() const;

  static size_t count(const std::vector<bool>& seen) {
    return static_cast<size_t>(std::count(seen.begin(), seen.end(), true));
  }

  bool may_come(const Place& place, size_t name) const {
    return !place.seen[name] && name >= place.next && named[name].member != Expressions::kNothing;
  }

  // Nothing: a name that has to come cannot.
  std::optional<Tally> tally(const Place& place) const;

  // Of names that are not said one by one any two may be the same: one of them counts.
  static size_t sure(size_t seen, size_t n_open) { return seen + std::min<size_t>(n_open, 1); }

  // Whether the numbers of names let an object be completed. Names can be added one by one, each
  // behind those that it asks for, but for those that ask for each other.
  bool fits(const Tally& now) const;

  bool required_can_come(const Place& place) const;

  // Whether an object that has got so far can be completed.
  bool possible(const Place& place) const {
    if (nothing_depends()) return required_can_come(place);
    const std::optional<Tally> now = tally(place);
    return now && fits(*now);
  }

  // It has a text where enough of the members have one.
  ExprId witness();

  // It has a text where n of these have one; one of them, where that would be much to write.
  ExprId some_of(const std::vector<ExprId>& members, size_t n);

  ExprId begin_at(const Place& place, ExprId witness);
  ExprId follow(const Place& place) { return begin_at(place, Expressions::kEmpty); }

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
  ExprId any_member(const Place& place, const std::vector<Left>& left);
  // As in `left_at`, where it is possible.
  ExprId behind(const Place& place, size_t name);
  Place after(Place place, size_t name) const;

  // Whether no name asks for another one, and nothing counts them.
  bool nothing_depends() const { return least == 0 && most == SIZE_MAX && !asks_; }

  // Whether which others can come, and have to, follows from their numbers when this one is there.
  // In any order what it asks for can come, or settle() had left it out.
  bool leaves_others(size_t name) const;

  // The names that may come next: an object with any of them can be completed.
  std::vector<Left> left_at(const Place& place) const;
  // Where nothing depends.
  std::vector<Left> left_of_free(const Place& place) const;

  ExprId text_at(const Place& place);

  Expressions& x_;
  const ExprId comma_;
  ExprId close_ = Expressions::kNothing;
  std::map<Place, ExprId> rules_;
  std::vector<std::vector<size_t>> asked_by_;
  bool asks_ = false;  // a name for another one
  size_t spare_ = 0;   // as many names more than are needed may have to come
};

}  // namespace strata::inference
