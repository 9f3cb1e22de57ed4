// Every field of the official client's types, one by one: testdata/fields/.
#include <gtest/gtest.h>

#include "api/testing/field_walk.h"

namespace strata::api {
namespace {

TEST(HuggingFaceFields, AreHonouredRefusedOrNamedAsIgnored) {
  testing::FieldWalk walk(parse_script(R"({"models": [{"name": "m"}, {"name": "m2"}]})"));
  testing::expect_effects(walk, "api/dialect/huggingface/testdata/fields", {"generate.json"});
}

}  // namespace
}  // namespace strata::api
