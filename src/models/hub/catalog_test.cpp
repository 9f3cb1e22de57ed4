#include "models/hub/catalog.h"

#include <gtest/gtest.h>

#include "core/testing/expect_error.h"
#include "models/hub/source.h"

namespace strata::models {
namespace {

TEST(Catalog, knows_the_default_model_by_every_name) {
  ASSERT_NE(find_in_catalog(default_model()), nullptr);
  EXPECT_EQ(find_in_catalog("smollm2"), find_in_catalog("smollm2:135m"));
  EXPECT_EQ(find_in_catalog("gemma3")->name, "gemma3:270m");
  EXPECT_EQ(find_in_catalog("gemma3")->kind, "base");
  EXPECT_EQ(find_in_catalog("nothing"), nullptr);
}

TEST(Catalog, each_source_has_a_brick_that_reads_it) {
  for (const auto& entry : catalog()) {
    for (const auto& source : entry.sources) {
      EXPECT_TRUE(is_source_reference(source)) << source;
      EXPECT_EQ(source.find(' '), std::string::npos) << source;
    }
  }
}

TEST(Catalog, an_entry_that_is_not_whole_is_refused) {
  const std::string good =
      "- name: a:b\n  sources: ['file:/x']\n  sha256: " + std::string(64, 'a') +
      "\n  size: 1\n  licence: MIT\n  description: d\n  context: 1\n"
      "  kind: chat\n";
  EXPECT_EQ(parse_catalog(good).size(), 1u);
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"a:b", "../x"},
           {"a:b", "a"},
           {"size: 1", "size: -1"},
           {"size: 1", "size: x"},
           {"chat", "robot"},
           {"  licence: MIT\n", ""},
           {"['file:/x']", "[]"},
           {"aaaa", "AAAA"},
           {"context: 1", "context: 1\n  colour: red"}}) {
    std::string bad = good;
    bad.replace(bad.find(from), from.size(), to);
    EXPECT_EQ(testing::error_of([&] { parse_catalog(bad); }).code(), Code::invalid_argument) << bad;
  }
  EXPECT_EQ(testing::error_of([&] { parse_catalog(good + good); }).code(), Code::invalid_argument);
}

}  // namespace
}  // namespace strata::models
