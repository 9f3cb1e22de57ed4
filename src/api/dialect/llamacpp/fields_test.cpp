// Every option that the server's README names for its own operations, one by one: testdata/fields/.
#include <gtest/gtest.h>

#include "api/testing/field_walk.h"

namespace strata::api {
namespace {

TEST(LlamaCppFields, AreHonouredRefusedOrNamedAsIgnored) {
  testing::FieldWalk walk(parse_script(
      R"({"models": [{"name": "m", "prompt_tokens_per_second": 100000}, {"name": "m2"}]})"));
  testing::expect_effects(walk, "api/dialect/llamacpp/testdata/fields",
                          {"completion.json", "infill.json", "tokenize.json", "detokenize.json",
                           "apply-template.json", "embedding.json", "reranking.json"});
}

}  // namespace
}  // namespace strata::api
