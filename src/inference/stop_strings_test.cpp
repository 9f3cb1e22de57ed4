#include "inference/stop_strings.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/error.h"

namespace strata::inference {
namespace {

struct Outcome {
  std::string text;
  std::string stop;  // empty: none
  bool operator==(const Outcome&) const = default;
};

// The definition, read literally: the first end of a match, and there the longest stop string.
Outcome naive(const std::string& text, const std::vector<std::string>& stops) {
  for (size_t end = 1; end <= text.size(); ++end) {
    std::string best;
    for (const std::string& stop : stops) {
      const bool ends_here =
          stop.size() <= end && text.compare(end - stop.size(), stop.size(), stop) == 0;
      if (ends_here && stop.size() > best.size()) best = stop;
    }
    if (!best.empty()) return {text.substr(0, end - best.size()), best};
  }
  return {text, {}};
}

// Whether `text`, were it to go on, could still become a match that begins at or before `from`.
bool may_still_match(const std::string& text, size_t from, const std::vector<std::string>& stops) {
  for (const std::string& stop : stops) {
    for (size_t at = 0; at <= from; ++at) {
      if (text.size() - at < stop.size() && stop.compare(0, text.size() - at, text, at) == 0) {
        return true;
      }
    }
  }
  return false;
}

TEST(StopStrings, held_back_across_pieces_and_never_leaked) {
  StopMatcher matcher(std::vector<std::string>{"</s>", "User:"});
  EXPECT_EQ(matcher.push("Hello <"), "Hello ");
  EXPECT_EQ(matcher.push("/"), "");
  EXPECT_EQ(matcher.push("b>"), "</b>");
  EXPECT_EQ(matcher.push(" Us"), " ");
  EXPECT_EQ(matcher.push("er: never seen"), "");
  EXPECT_TRUE(matcher.matched());
  EXPECT_EQ(matcher.match(), "User:");
  EXPECT_EQ(matcher.push("nor this"), "");
  EXPECT_EQ(matcher.finish(), "");
}

TEST(StopStrings, what_did_not_match_comes_at_the_end) {
  StopMatcher matcher(std::vector<std::string>{"END"});
  EXPECT_EQ(matcher.push("the EN"), "the ");
  EXPECT_EQ(matcher.finish(), "EN");
}

TEST(StopStrings, without_stops_everything_passes_at_once) {
  StopMatcher matcher(std::vector<std::string>{});
  EXPECT_EQ(matcher.push("text"), "text");
  EXPECT_EQ(matcher.finish(), "");
}

TEST(StopStrings, a_match_inside_another_one_wins_when_it_ends_first) {
  StopMatcher matcher(std::vector<std::string>{"abcd", "bc"});
  EXPECT_EQ(matcher.push("xabcd"), "xa");
  EXPECT_EQ(matcher.match(), "bc");
}

RC_GTEST_PROP(StopStrings, any_pieces_give_what_the_definition_says, ()) {
  // Two letters: matches, near misses and overlaps are frequent.
  const auto word = rc::gen::container<std::string>(rc::gen::element('a', 'b'));
  const auto text = *rc::gen::resize(60, word);
  auto stops = *rc::gen::resize(
      5, rc::gen::container<std::vector<std::string>>(rc::gen::resize(6, rc::gen::nonEmpty(word))));
  StopMatcher matcher(stops);
  Outcome ours;
  size_t at = 0;
  while (at < text.size()) {
    const auto length = static_cast<size_t>(*rc::gen::inRange(1, 9));
    const std::string piece = text.substr(at, length);
    ours.text += matcher.push(piece);
    at += piece.size();
    if (matcher.matched()) continue;
    // Not a byte too many is held back, and not one too few.
    const std::string seen = text.substr(0, at);
    RC_ASSERT(ours.text == seen.substr(0, ours.text.size()));
    if (ours.text.size() < seen.size()) {
      RC_ASSERT(may_still_match(seen, ours.text.size(), stops));
    }
    if (!ours.text.empty()) RC_ASSERT(!may_still_match(seen, ours.text.size() - 1, stops));
  }
  ours.text += matcher.finish();
  if (matcher.matched()) ours.stop = matcher.match();
  RC_ASSERT(ours == naive(text, stops));
}

TEST(StopStrings, many_long_near_misses_stay_linear) {
  std::vector<std::string> stops;
  for (int i = 0; i < 64; ++i) {
    stops.emplace_back(1000, 'a');
    stops.back() += static_cast<char>('b' + i % 20);
  }
  StopMatcher matcher(stops);
  std::string out;
  for (int i = 0; i < 200000; ++i) out += matcher.push("a");
  out += matcher.finish();
  EXPECT_EQ(out.size(), 200000u);
}

TEST(StopStrings, bad_ones_are_refused) {
  const auto refused = [](std::vector<std::string> stops) {
    EXPECT_THROW(validate_stops(stops), Error);
  };
  refused({""});
  refused({"ok", "\xC3"});
  refused({std::string(kMaxStopBytes + 1, 'x')});
  refused(std::vector<std::string>(kMaxStops + 1, "x"));
  validate_stops(std::vector<std::string>{"\n", "é", std::string(kMaxStopBytes, 'x')});
}

}  // namespace
}  // namespace strata::inference
