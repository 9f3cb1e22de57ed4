#include "inference/constraint/strides.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace strata::inference {
namespace {

constexpr ExprId kNothing = Expressions::kNothing;
constexpr int kLeastCharacters = 22;                 // of a stride; no value begins with as many
constexpr size_t kMostPlaces = 64;                   // that one stride may lead to
constexpr int32_t kFarthest = TokenTrie::kLongText;  // characters that are looked at

// The characters beyond ASCII by their bytes (RFC 3629, section 4): leads, second bytes, and how
// many bytes follow these.
struct Encoded {
  uint8_t lead, last_lead, second, last_second;
  int more;
};
constexpr std::array<Encoded, 8> kEncoded{{{0xC2, 0xDF, 0x80, 0xBF, 0},
                                           {0xE0, 0xE0, 0xA0, 0xBF, 1},
                                           {0xE1, 0xEC, 0x80, 0xBF, 1},
                                           {0xED, 0xED, 0x80, 0x9F, 1},
                                           {0xEE, 0xEF, 0x80, 0xBF, 1},
                                           {0xF0, 0xF0, 0x90, 0xBF, 2},
                                           {0xF1, 0xF3, 0x80, 0xBF, 2},
                                           {0xF4, 0xF4, 0x80, 0x8F, 2}}};

void add_once(std::vector<ExprId>& places, ExprId place) {
  if (std::ranges::find(places, place) == places.end()) places.push_back(place);
}

// Where the bytes lead, each place once.
void go_behind(Expressions& x, const std::vector<ExprId>& places, const std::vector<uint8_t>& bytes,
               std::vector<ExprId>& next) {
  next.clear();
  for (const ExprId place : places) {
    for (const uint8_t byte : bytes) add_once(next, x.derivative(place, byte));
  }
}

// One byte of each run of them in a range that the grammar does not tell apart.
std::vector<uint8_t> runs(const Expressions& x, uint8_t first, uint8_t last) {
  std::vector<uint8_t> found{first};
  for (unsigned byte = first + 1u; byte <= last; ++byte) {
    const auto here = static_cast<uint8_t>(byte);
    if (x.class_of(here) != x.class_of(found.back())) found.push_back(here);
  }
  return found;
}

bool has_dead(const std::vector<ExprId>& places) {
  return std::ranges::find(places, kNothing) != places.end();
}

}  // namespace

// Where the characters beyond ASCII lead; none where one of them does not go on, or there are many.
std::span<const ExprId> Strides::beyond_ascii(ExprId place) {
  constexpr size_t kMost = 8;
  if (beyond_.empty()) {
    for (const Encoded& e : kEncoded) {
      beyond_.push_back({runs(x_, e.lead, e.last_lead), runs(x_, e.second, e.last_second)});
      for (int i = 0; i < e.more; ++i) beyond_.back().push_back(runs(x_, 0x80, 0xBF));
    }
  }
  all_beyond_.clear();
  for (const std::vector<std::vector<uint8_t>>& bytes : beyond_) {
    std::vector<ExprId>& places = some_beyond_;
    places.assign(1, place);
    for (size_t i = 0; i < bytes.size() && places.size() <= kMost && !has_dead(places); ++i) {
      go_behind(x_, places, bytes[i], next_beyond_);
      places.swap(next_beyond_);
    }
    for (const ExprId next : places) add_once(all_beyond_, next);
    if (has_dead(places) || all_beyond_.size() > kMost) return {};
  }
  return all_beyond_;
}

const Strides::Ways& Strides::ways(ExprId place) {
  const auto index = static_cast<size_t>(place);
  if (index < ways_at_.size() && ways_at_[index] >= 0) {
    return all_ways_[static_cast<size_t>(ways_at_[index])];
  }
  const size_t begin = ways_.size();
  const auto way_to = [&](ExprId next) -> Characters& {
    const auto known = std::find_if(ways_.begin() + static_cast<ptrdiff_t>(begin), ways_.end(),
                                    [&](const Way& way) { return way.next == next; });
    return known != ways_.end() ? known->of : ways_.emplace_back(Way{next, {}}).of;
  };
  Characters some;
  const ByteSet may_come = x_.first_bytes(place);
  for (const auto& [byte, of] : x_.groups_of(place)) {
    if (!may_come.has(byte)) continue;
    const ExprId next = x_.derivative(place, byte);
    if (next == kNothing) continue;
    some = some | of;
    if ((of.ascii[0] | of.ascii[1]) == 0) continue;
    Characters& by = way_to(next);
    by = by | Characters{of.ascii};
  }
  if (some.beyond) {
    for (const ExprId next : beyond_ascii(place)) way_to(next).beyond = true;
  }
  if (index >= ways_at_.size()) ways_at_.resize(std::max(index + 1, x_.size()), -1);
  ways_at_[index] = static_cast<int32_t>(all_ways_.size());
  Ways& made = all_ways_.emplace_back();
  made.first = static_cast<int32_t>(begin);
  made.n = static_cast<int32_t>(ways_.size() - begin);
  for (const Way& way : list(made)) made.all = made.all | way.of;
  made.some = some;
  return made;
}

// Without what leads at once to where more is lost than it is itself. That is seen from the bytes
// that may come there: the ways of the places, as of a string that a value may be, are not looked
// for.
Characters Strides::kept_at_first(ExprId place, Characters of) {
  for (bool changed = true; changed;) {
    changed = false;
    for (const Way& way : list(ways(place))) {
      const Characters by = way.of & of;
      const int n_by = by.count();
      const int n_lost = of.without(first_characters(way.next)).count();
      if (n_by == 0 || n_by > n_lost || n_by * 2 >= of.count()) continue;
      of = of.without(by);
      changed = true;
    }
  }
  return of;
}

// Which of the characters are better left out than texts that end at a place, so that fewer are
// lost: what does not go on there, or what leads there. None: neither is few enough.
Characters Strides::better_left_out(const Seen& here, const Characters& of) {
  const int n_by = here.by.count();
  const auto is_few = [&](int n) { return n * 2 < of.count(); };
  // Of what is lost at least this is, which is known sooner than all.
  const int n_first_lost = of.without(first_characters(here.place)).count();
  if (here.depth > 0 && n_by <= n_first_lost && is_few(n_by)) return here.by;
  const Characters lost = of.without(ways(here.place).all);
  const Characters& fewer = lost.count() < n_by ? lost : here.by;
  return !lost.empty() && is_few(fewer.count()) ? fewer : Characters{};
}

// Adds the places behind one. False: they are too many, or too far.
bool Strides::add_behind(const Seen& here, const Characters& of, Reach& reach) {
  for (const Way& way : list(ways(here.place))) {
    const Characters by = way.of & of;
    if (by.empty()) continue;
    reach.over = reach.over || x_.nullable(way.next);
    const auto known = std::ranges::find(reach.seen, way.next, &Seen::place);
    if (known != reach.seen.end()) {
      known->by = known->by | by;
      reach.level = reach.level && known->depth == here.depth + 1;
    } else if (reach.seen.size() < kMostPlaces && here.depth < kFarthest) {
      reach.seen.push_back({way.next, by, here.depth + 1});
    } else {
      return false;
    }
  }
  return true;
}

// Whether no text of the characters is longer than those that lead to the place: none of the places
// that are as far goes on with any, and all shorter texts lead to nearer ones.
bool Strides::ends_at(size_t i, const Characters& of, const Reach& reach) {
  const std::span<const Seen> seen(reach.seen);
  const bool first = i == 0 || seen[i - 1].depth < seen[i].depth;
  return reach.level && first && std::ranges::all_of(seen.subspan(i), [&](const Seen& s) {
           return (ways(s.place).some & of).empty();
         });
}

// Goes through the places that the characters lead to, nearest first.
Strides::Reach Strides::reach_of(ExprId place, const Characters& of) {
  Reach reach;
  reach.seen.push_back({place, {}, 0});
  for (size_t i = 0; i < reach.seen.size(); ++i) {
    const Seen here = reach.seen[i];
    reach.left_out = better_left_out(here, of);
    if (!reach.left_out.empty()) return reach;
    const bool all_go_on = ways(here.place).all.has(of);
    if (!all_go_on) reach.ends = ends_at(i, of, reach);
    if (!all_go_on || !add_behind(here, of, reach)) {
      reach.longest = here.depth;
      return reach;
    }
  }
  return reach;
}

// What texts of the characters go on with beside them, on their way and, where none is longer, at
// its end.
Characters Strides::others_than(const Characters& of, const Reach& reach) {
  Characters others;
  for (const Seen& s : reach.seen) {
    if (s.depth > reach.longest || (s.depth == reach.longest && !reach.ends)) break;
    others = others | ways(s.place).some;
  }
  return others.without(of);
}

// A string of limited length, and what follows it, as one of any length: it goes on as long as
// there is a turn left of its repetition, and no byte takes more than one of them, no character
// where each turn is one.
std::optional<Strides::Likeness> Strides::endless(ExprId place) {
  const Expr whole = x_.at(place);
  const bool is_followed = whole.op == Op::sequence;
  const Expr block = is_followed ? x_.at(whole.a) : whole;
  if (block.op != Op::block || x_.at(block.a).op != Op::sequence) return std::nullopt;
  const Expr text = x_.at(block.a);
  const Expr turns = x_.at(text.a);
  if (turns.op != Op::repeat || turns.b != 0 || turns.c < 0) return std::nullopt;
  constexpr int32_t kMostBytes = 4;  // of a character
  const Expr turn = x_.at(turns.a);
  const bool ascii =
      turn.op == Op::bytes && x_.set(turn).words[2] == 0 && x_.set(turn).words[3] == 0;
  const bool by_character = ascii || std::ranges::any_of(x_.string_tails, [&](ExprId tail) {
                              return tail >= 0 && x_.at(x_.at(x_.at(tail).a).a).a == turns.a;
                            });
  const int32_t characters = (turns.c - 1) / (by_character ? 1 : kMostBytes);
  if (characters < kFarthest) return std::nullopt;
  const ExprId any = x_.block(x_.sequence(x_.repeat(turns.a, 0, -1), text.b));
  return Likeness{x_.sequence(any, is_followed ? whole.b : Expressions::kEmpty), characters};
}

// Of fewer than kLeastCharacters none is looked for: what few characters lead to may be much, as
// at the beginning of any value, and few tokens are made of them alone.
Stride Strides::find(ExprId place) {
  if (const auto like = endless(place)) {
    Stride found = stride(like->place);
    found.ends = found.ends && found.longest <= like->characters;
    found.longest = std::min(found.longest, like->characters);
    return found;
  }
  Characters of = kept_at_first(place, ways(place).all);
  while (of.count() >= kLeastCharacters) {
    const Reach reach = reach_of(place, of);
    if (reach.left_out.empty()) {
      return {of, others_than(of, reach), reach.longest, reach.over, reach.ends};
    }
    of = of.without(reach.left_out);
  }
  return {};
}

const Stride& Strides::stride(ExprId place) {
  const auto index = static_cast<size_t>(place);
  if (index >= stride_at_.size()) stride_at_.resize(std::max(index + 1, x_.size()), -1);
  if (stride_at_[index] < 0) {
    const Stride found = find(place);
    stride_at_[index] = static_cast<int32_t>(strides_.size());
    strides_.push_back(found);
  }
  return strides_[static_cast<size_t>(stride_at_[index])];
}

// Beyond ASCII: some.
Characters Strides::first_characters(ExprId place) {
  const ByteSet bytes = x_.first_bytes(place);
  return {{bytes.words[0], bytes.words[1]}, (bytes.words[2] | bytes.words[3]) != 0};
}

bool Strides::spans(ExprId place, const TokenTrie::Branch& branch, bool open) {
  constexpr int32_t kWorthALook = 128;  // tokens: a stride costs about as much as a walk to these
  if (branch.end - branch.first < kWorthALook || branch.broken) return false;
  if (!first_characters(place).has(branch.of)) return false;
  if (!ways(place).all.has(branch.of)) return false;
  const Stride& here = stride(place);
  return here.of.has(branch.of) && branch.characters <= here.longest && !(open && here.over);
}

bool Strides::is_wide(ExprId place) {
  constexpr int kMost = 80;  // of ASCII's 95 that are printed, and the others as one
  if (first_characters(place).count() <= kMost) return false;
  const Stride& here = stride(place);
  return here.of.beyond && here.of.count() > kMost;
}

const Stride* Strides::wide_stride(ExprId place) {
  if (first_characters(place).count() < kLeastCharacters) return nullptr;
  if (ways(place).all.count() < kLeastCharacters) return nullptr;
  const Stride& here = stride(place);
  return here.of.empty() ? nullptr : &here;
}

bool Strides::reaches_far(ExprId place) {
  const Stride* wide = wide_stride(place);
  return wide != nullptr && !wide->over && wide->longest >= kFarthest;
}

bool Strides::is_open(ExprId place) {
  const Stride* wide = wide_stride(place);
  return wide != nullptr && wide->over;
}

size_t Strides::size_bytes() const {
  return strides_.size() * sizeof(Stride) + stride_at_.size() * 4 + ways_.size() * sizeof(Way) +
         all_ways_.size() * sizeof(Ways) + ways_at_.size() * 4;
}

void Strides::clear() {
  strides_.clear();
  stride_at_.clear();
  ways_.clear();
  all_ways_.clear();
  ways_at_.clear();
}

}  // namespace strata::inference
