#include "inference/constraint/strides.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace strata::inference {
namespace {

constexpr ExprId kNothing = Expressions::kNothing;

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

// Where the bytes lead, each place once.
std::vector<ExprId> behind(Expressions& x, const std::vector<ExprId>& places, uint8_t first,
                           uint8_t last) {
  std::vector<ExprId> next;
  for (const ExprId place : places) {
    for (unsigned byte = first; byte <= last; ++byte) {
      const ExprId to = x.derivative(place, static_cast<uint8_t>(byte));
      if (std::ranges::find(next, to) == next.end()) next.push_back(to);
    }
  }
  return next;
}

}  // namespace

// Whether every character beyond ASCII leads from place to next.
bool Strides::leads(ExprId place, ExprId next) {
  constexpr size_t kMost = 8;  // places inside of a character, before it is given up
  for (const Encoded& e : kEncoded) {
    std::vector<ExprId> places = behind(x_, {place}, e.lead, e.last_lead);
    if (places.size() > kMost || std::ranges::find(places, kNothing) != places.end()) return false;
    places = behind(x_, places, e.second, e.last_second);
    for (int i = 0; i < e.more && places.size() <= kMost; ++i) {
      places = behind(x_, places, 0x80, 0xBF);
    }
    if (places.size() != 1 || places[0] != next) return false;
  }
  return true;
}

// Towards where most of ASCII leads.
Strides::Stride Strides::find(ExprId place) {
  std::array<ExprId, 128> to{};
  std::vector<std::pair<ExprId, int>> counts;
  for (size_t byte = 0; byte < to.size(); ++byte) {
    to[byte] = x_.derivative(place, static_cast<uint8_t>(byte));
    if (to[byte] == kNothing) continue;
    const auto known = std::ranges::find(counts, to[byte], &std::pair<ExprId, int>::first);
    if (known == counts.end()) {
      counts.emplace_back(to[byte], 1);
    } else {
      ++known->second;
    }
  }
  Stride found;
  if (counts.empty()) return found;
  found.next = std::ranges::max_element(counts, {}, &std::pair<ExprId, int>::second)->first;
  for (size_t byte = 0; byte < to.size(); ++byte) {
    if (to[byte] == found.next) found.ascii[byte >> 6] |= uint64_t{1} << (byte & 63);
  }
  found.beyond_ascii = leads(place, found.next);
  return found;
}

Strides::Stride Strides::stride(ExprId place) {
  const auto index = static_cast<size_t>(place);
  if (index >= at_.size()) at_.resize(std::max(index + 1, x_.size()), -1);
  if (at_[index] < 0) {
    const Stride found = find(place);
    at_[index] = static_cast<int32_t>(strides_.size());
    strides_.push_back(found);
  }
  return strides_[static_cast<size_t>(at_[index])];
}

bool Strides::spans(ExprId place, const TokenTrie::Branch& branch, bool open) {
  for (int32_t n = branch.characters; n > 0; --n) {
    const Stride here = stride(place);
    const bool known = (branch.ascii[0] & ~here.ascii[0]) == 0 &&
                       (branch.ascii[1] & ~here.ascii[1]) == 0 &&
                       (here.beyond_ascii || !branch.beyond_ascii);
    if (!known || (open && x_.nullable(here.next))) return false;
    if (here.next == place) return true;
    place = here.next;
  }
  return true;
}

bool Strides::is_wide(ExprId place) {
  constexpr int kMost = 80;  // of ASCII's 95 that are printed
  const Stride here = stride(place);
  return here.beyond_ascii && std::popcount(here.ascii[0]) + std::popcount(here.ascii[1]) >= kMost;
}

void Strides::clear() {
  strides_.clear();
  at_.clear();
}

}  // namespace strata::inference
