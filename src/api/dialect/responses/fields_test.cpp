// Every field of the official client's types, one by one: testdata/fields/.
#include <gtest/gtest.h>

#include "api/conversation/history.h"
#include "api/prompt/registry.h"
#include "api/testing/field_walk.h"
#include "core/testing/temp_folder.h"

namespace strata::api {
namespace {

TEST(ResponsesFields, AreHonouredRefusedOrNamedAsIgnored) {
  const strata::testing::TempFolder folder;
  History history(folder.path() / "strata.db");
  PromptRegistry prompts(folder.path() / "strata.db");
  for (const char* text : {"Be {{tone}}.", "Be very {{tone}}."}) {
    const json::value message = json::object{{"role", "user"}, {"content", text}};
    prompts.put("text", parse_prompt(json::object{{"messages", json::array{message}}}), {}, 0);
  }
  testing::FieldWalk walk(parse_script(R"({"models": [{"name": "m"}, {"name": "m2"}]})"),
                          testing::Running::with(nullptr, &prompts, &history));
  testing::expect_effects(walk, "api/dialect/responses/testdata/fields",
                          {"input.json", "request.json"});
}

}  // namespace
}  // namespace strata::api
