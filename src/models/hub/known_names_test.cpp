#include "models/hub/known_names.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace strata::models {
namespace {

using ::testing::HasSubstr;

std::string hint_for(std::string_view name, const std::vector<std::string>& here = {}) {
  const Error error = model_not_found(name, here);
  EXPECT_EQ(error.code(), Code::not_found);
  EXPECT_THAT(error.message(), HasSubstr(std::string(name.substr(0, 20))));
  return error.hint();
}

std::string resolved(std::string_view name, const std::vector<std::string>& here) {
  return resolve_name(
      name, {[&](std::string_view each) { return std::ranges::find(here, each) != here.end(); },
             [&] { return here; }});
}

TEST(KnownNames, a_short_name_stands_for_the_catalogues_model_where_that_is_here) {
  EXPECT_EQ(resolved("smollm2", {"smollm2:135m"}), "smollm2:135m");
  EXPECT_EQ(resolved("smollm2", {"smollm2", "smollm2:135m"}), "smollm2") << "one of that name";
  EXPECT_EQ(resolved("smollm2", {}), "smollm2");
  EXPECT_EQ(resolved("own", {"smollm2:135m"}), "own");
}

TEST(KnownNames, case_does_not_count_in_the_catalogues_names) {
  EXPECT_EQ(resolved("SmolLM2:135M", {"smollm2:135m"}), "smollm2:135m");
  EXPECT_EQ(resolved("SmolLM2", {"smollm2:135m"}), "smollm2:135m");
  EXPECT_EQ(resolved("SmolLM2:135M", {"SmolLM2:135M", "smollm2:135m"}), "SmolLM2:135M");
  EXPECT_EQ(resolved("SmolLM2:135M", {}), "SmolLM2:135M");
  EXPECT_EQ(resolved("SMOLLM2", {"Smollm2:latest", "smollm2:135m"}), "Smollm2:latest")
      << "a model of that name goes before another name of a model";
  EXPECT_EQ(resolved("smollm2", {"Smollm2:latest", "smollm2:135m"}), "smollm2:135m")
      << "a name as it is written goes before one in another case";
}

TEST(KnownNames, the_same_but_for_case_is_one_name_or_none) {
  const std::vector<std::string> here{"Tiny:latest", "two:V1", "TWO:v1", "me/x:q4"};
  EXPECT_EQ(same_but_case("tiny", here), "Tiny:latest");
  EXPECT_EQ(same_but_case("TINY:LATEST", here), "Tiny:latest");
  EXPECT_EQ(same_but_case("ME/X:Q4", here), "me/x:q4");
  EXPECT_EQ(same_but_case("two:v1", here), "") << "it may be either";
  EXPECT_EQ(same_but_case("tin", here), "");
}

TEST(KnownNames, a_misspelt_name_is_compared_without_its_tag_too) {
  EXPECT_EQ(hint_for("smolm2", {"smollm2:135m"}), "did you mean 'smollm2:135m'?");
  EXPECT_EQ(hint_for("smolm2:latest", {"smollm2:135m"}), "did you mean 'smollm2:135m'?");
  EXPECT_EQ(hint_for("tniy", {"tiny:latest"}), "did you mean 'tiny:latest'?");
}

TEST(KnownNames, what_the_catalogue_has_is_offered_with_the_way_to_get_it) {
  EXPECT_EQ(hint_for("smolm2"),
            "did you mean 'smollm2:135m'? get it with: strata pull smollm2:135m");
  EXPECT_EQ(hint_for("smollm2"), "get it with: strata pull smollm2");
}

TEST(KnownNames, nobody_is_told_to_pull_what_nobody_knows) {
  const std::string hint = hint_for("no-such-model-anywhere", {"tiny:latest"});
  EXPECT_THAT(hint, ::testing::Not(HasSubstr("no-such-model")));
  EXPECT_THAT(hint, HasSubstr("strata list"));
  EXPECT_THAT(hint_for(std::string(500, 'x')), HasSubstr("strata list"));
}

}  // namespace
}  // namespace strata::models
