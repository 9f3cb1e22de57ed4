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
      "  kind: chat\n  cache: [{layers: 2, width: 8}]\n";
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
           {"cache: [{layers: 2, width: 8}]", "cache: []"},
           {"cache: [{layers: 2, width: 8}]", "cache: 2"},
           {"layers: 2", "layers: 0"},
           {"width: 8", "width: 8, window: 0"},
           {"width: 8", "width: 8, colour: 1"},
           {"context: 1", "context: 1\n  colour: red"}}) {
    std::string bad = good;
    bad.replace(bad.find(from), from.size(), to);
    EXPECT_EQ(testing::error_of([&] { parse_catalog(bad); }).code(), Code::invalid_argument) << bad;
  }
  EXPECT_EQ(testing::error_of([&] { parse_catalog(good + good); }).code(), Code::invalid_argument);
}

// At 4,096 positions `strata show` foretells 94371840 bytes of the one file, and of the other
// 24379392, with the blocks that its windows touch.
TEST(Catalog, knows_what_a_context_takes) {
  EXPECT_EQ(cache_bytes(*find_in_catalog("smollm2:135m"), 4096), 94371840u);
  const auto& windowed = *find_in_catalog("gemma3:270m");
  EXPECT_EQ(cache_bytes(windowed, 4096), 20447232u);
  EXPECT_EQ(cache_bytes(windowed, 512), 18u * 512 * 2 * 512);
  EXPECT_EQ(cache_bytes(windowed, 32768) - cache_bytes(windowed, 4096), 3u * 512 * 2 * 28672);
  EXPECT_EQ(cache_bytes(windowed, 0), 0u);
}

}  // namespace
}  // namespace strata::models
