// The registry over HTTP.
#include <gtest/gtest.h>

#include "api/prompt/registry.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "core/json.h"
#include "core/testing/temp_folder.h"

namespace strata::api {
namespace {

class PromptRoutes : public ::testing::Test {
 protected:
  json::value call(std::string_view method, const std::string& path, int status,
                   std::string_view body = {}) {
    const auto reply = testing::fetch(running_.port(), method, "/api/v1/prompts" + path, body,
                                      "Content-Type: application/json\r\n");
    EXPECT_EQ(reply.status, status) << method << " " << path << ": " << reply.body;
    return parse_json(reply.body);
  }

  strata::testing::TempFolder folder_;
  PromptRegistry registry_{folder_.path() / "strata.db"};
  testing::Running running_{default_script(), {}, nullptr, nullptr, &registry_};
};

TEST_F(PromptRoutes, WalkThroughALifeOfAPrompt) {
  const auto first =
      call("POST", "/greet/versions", 201,
           R"({"text":"Greet {{who}}.","settings":{"temperature":0},"note":"begin"})");
  EXPECT_EQ(first.at("version"), 1);
  EXPECT_EQ(first.at("note"), "begin");
  call("POST", "/greet/versions", 201, R"({"text":"Greet {{who}} warmly."})");
  call("PUT", "/greet/labels/production", 200, R"({"version":1})");
  const auto info = call("GET", "/greet", 200);
  EXPECT_EQ(info.at("latest"), 2);
  EXPECT_EQ(info.at("labels").at(0).at("version"), 1);
  EXPECT_EQ(call("GET", "/greet/versions", 200).at("data").as_array().size(), 2u);
  EXPECT_EQ(call("GET", "/greet/versions/latest", 200).at("version"), 2);
  const auto rendered = call("POST", "/greet/render", 200, R"({"variables":{"who":"Ada"}})");
  EXPECT_EQ(rendered.at("version"), 1);
  EXPECT_EQ(rendered.at("messages").at(0).at("content"), "Greet Ada.");
  EXPECT_EQ(rendered.at("settings").at("temperature"), 0);
  EXPECT_EQ(call("GET", "/greet/diff?from=production&to=latest", 200).at("diff"),
            "  [system]\n- Greet {{who}}.\n+ Greet {{who}} warmly.\n  variable who: string\n"
            "- setting temperature: 0\n");
  call("DELETE", "/greet/labels/production", 200);
  EXPECT_EQ(call("GET", "", 200).at("data").as_array().size(), 1u);
  call("DELETE", "/greet", 200);
  EXPECT_EQ(call("GET", "", 200).at("data").as_array().size(), 0u);
}

TEST_F(PromptRoutes, SayWhichFieldIsAtFault) {
  call("GET", "/nobody", 404);
  call("GET", "/nobody/versions/1", 404);
  EXPECT_EQ(call("POST", "/p/versions", 400, R"({"text":"a","colour":1})").at("error").at("field"),
            "colour");
  call("POST", "/p/versions", 201, R"({"text":"{{a}}"})");
  EXPECT_EQ(call("POST", "/p/render", 400, R"({})").at("error").at("field"), "variables.a");
  EXPECT_EQ(call("PUT", "/p/labels/production", 400, R"({"version":0})").at("error").at("field"),
            "version");
  call("PUT", "/p/labels/production", 404, R"({"version":9})");
  call("PUT", "/p/labels/latest", 400, R"({"version":1})");
}

TEST(PromptRoutesWithout, AServerWithoutARegistrySaysSo) {
  const testing::Running running;
  EXPECT_EQ(testing::fetch(running.port(), "GET", "/api/v1/prompts").status, 501);
}

}  // namespace
}  // namespace strata::api
