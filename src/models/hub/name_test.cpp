#include "models/hub/name.h"

#include <set>

#include <gtest/gtest.h>

#include "core/testing/expect_error.h"

namespace strata::models {
namespace {

TEST(ModelName, has_a_tag_always) {
  EXPECT_EQ(parse_model_name("smollm2").full(), "smollm2:latest");
  EXPECT_EQ(parse_model_name("smollm2:135m").full(), "smollm2:135m");
  EXPECT_EQ(parse_model_name("me/x:v1.2_b-3").full(), "me/x:v1.2_b-3");
  EXPECT_EQ(parse_model_name("hf:OWNER/Repo-1:Q4_K_M").full(), "hf:OWNER/Repo-1:Q4_K_M");
  EXPECT_EQ(parse_model_name("hf:OWNER/Repo").tag, "latest");
}

TEST(ModelName, no_two_names_share_a_file) {
  std::set<std::string> paths;
  for (const char* name : {"a", "a:b", "a/b", "a/b:c", "hf/a", "hf:a/b", "hf:a/b:c", "a.b", "a-b",
                           "a_b", "A", "a:b.json", "a/latest", "latest/a"}) {
    EXPECT_TRUE(paths.insert(parse_model_name(name).manifest_path().string()).second) << name;
  }
}

TEST(ModelName, hostile_names_are_refused) {
  using namespace std::string_literals;
  for (const std::string& name : {""s,
                                  ":"s,
                                  "a:"s,
                                  ":a"s,
                                  "../a"s,
                                  "a/../b"s,
                                  "..:x"s,
                                  "a:.."s,
                                  "a:../../x"s,
                                  "/etc/passwd"s,
                                  "a//b"s,
                                  "a/b/c"s,
                                  "a/"s,
                                  "/a"s,
                                  "."s,
                                  "-rf"s,
                                  "a b"s,
                                  "a\nb"s,
                                  "a\0b"s,
                                  "a\\b"s,
                                  "a:b:c"s,
                                  "\xC3\xA9"s,
                                  "hf:"s,
                                  "hf:a"s,
                                  "hf:a/b/c"s,
                                  "hf:../a"s,
                                  "a%2e"s,
                                  "a+b"s,
                                  "a=b"s,
                                  "~/x"s,
                                  "$HOME"s,
                                  std::string(97, 'a'),
                                  "a:" + std::string(97, 'a')}) {
    EXPECT_EQ(testing::error_of([&] { parse_model_name(name); }).code(), Code::invalid_argument)
        << name;
  }
}

}  // namespace
}  // namespace strata::models
