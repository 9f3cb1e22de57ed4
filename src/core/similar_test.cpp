#include "core/similar.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

const std::vector<std::string> kWords{"run", "serve", "pull", "list", "show", "smollm2:135m"};

TEST(Similar, distance_counts_edits_and_swaps) {
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("plul", "pull"), 1u);
  EXPECT_EQ(edit_distance("same", "same"), 0u);
}

TEST(Similar, names_what_was_meant) {
  EXPECT_EQ(did_you_mean("pul", kWords), "did you mean 'pull'?");
  EXPECT_EQ(did_you_mean("SERV", kWords), "did you mean 'serve'?");
  EXPECT_EQ(did_you_mean("smolm2:135m", kWords), "did you mean 'smollm2:135m'?");
  EXPECT_EQ(did_you_mean("smollm2", kWords), "did you mean 'smollm2:135m'?");
}

TEST(Similar, is_silent_when_nothing_is_near) {
  EXPECT_EQ(did_you_mean("quantise", kWords), "");
  EXPECT_EQ(did_you_mean("", kWords), "");
  EXPECT_EQ(did_you_mean(std::string(100'000, 'x'), kWords), "");
}

}  // namespace
}  // namespace strata
