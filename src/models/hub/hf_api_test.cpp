// A search and the offers of a repository, against a stand-in that answers as the Hub does.
#include "models/hub/hf_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/testing/expect_error.h"
#include "core/testing/http_server.h"
#include "core/testing/temp_folder.h"
#include "models/hub/testing.h"

namespace strata::models {
namespace {

using strata::testing::error_of;
using strata::testing::HttpServer;
using strata::testing::Reply;
using strata::testing::ScopedEnvironment;
using strata::testing::ServedRequest;
using ::testing::HasSubstr;

class HubSearch : public ::testing::Test {
 protected:
  Reply reply{.body = "[]"};
  HttpServer server{[this](const ServedRequest&) { return reply; }};
  ScopedEnvironment endpoint{"HF_ENDPOINT", server.url("/").c_str()};
  ScopedEnvironment token{"HF_TOKEN", "hf_secret"};
};

TEST_F(HubSearch, AsksForGgufByTextAndReadsWhatTheHubSays) {
  reply.body = R"([{"id":"own/Tiny-GGUF","downloads":12,"likes":3,"gated":"auto",
    "lastModified":"2026-01-02T03:04:05.000Z","pipeline_tag":"text-generation",
    "tags":["gguf","license:apache-2.0"]},{"id":"own/Bare","gated":false}])";
  const auto found = search_hub("tiny & small", 7, {});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].repository, "own/Tiny-GGUF");
  EXPECT_EQ(found[0].licence, "apache-2.0");
  EXPECT_EQ(found[0].task, "text-generation");
  EXPECT_EQ(found[0].updated, "2026-01-02T03:04:05.000Z");
  EXPECT_EQ(found[0].downloads, 12);
  EXPECT_EQ(found[0].likes, 3);
  EXPECT_TRUE(found[0].gated);
  EXPECT_FALSE(found[1].gated);
  EXPECT_EQ(found[1].licence, "");
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_THAT(
      requests[0].target,
      HasSubstr("/api/models?search=tiny%20%26%20small&filter=gguf&sort=downloads&limit=7"));
  EXPECT_EQ(requests[0].headers.at("authorization"), "Bearer hf_secret");
}

TEST_F(HubSearch, PassesOverWhatCannotBePulledAndKeepsItsLimit) {
  reply.body = R"([1,{},{"id":7},{"id":"../../etc"},{"id":"noowner"},{"id":"a/b","likes":-4,
    "downloads":"x","tags":7,"gated":null},{"id":"a/c"},{"id":"a/d"}])";
  const auto found = search_hub("x", 2, {});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].repository, "a/b");
  EXPECT_EQ(found[0].likes, 0);
  EXPECT_FALSE(found[0].gated);
}

TEST_F(HubSearch, SaysWhyThereIsNoAnswer) {
  const auto code = [](std::string_view text, NetPolicy policy = {}) {
    return error_of([&] { search_hub(text, 5, policy); }).code();
  };
  EXPECT_EQ(code(""), Code::invalid_argument);
  EXPECT_EQ(code(std::string(201, 'x')), Code::invalid_argument);
  NetPolicy offline;
  offline.offline = true;
  EXPECT_EQ(code("x", offline), Code::failed_precondition);
  EXPECT_TRUE(server.requests().empty());
  for (const char* body : {"{}", "<html>", "[", "[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]"}) {
    reply.body = body;
    EXPECT_EQ(code("x"), Code::unavailable) << body;
  }
  reply = {.status = 429};
  EXPECT_EQ(code("x"), Code::unavailable);
  reply = {.status = 401};
  EXPECT_EQ(code("x"), Code::unauthenticated);
}

TEST(HubOffers, AreTheModelsOfARepositoryWithTheSizeOfAllParts) {
  const std::map<std::string, std::string> files{
      {"README.md", "# text"},
      {"mmproj-F16.gguf", testing::named_model("projector")},
      {"Repo-Q8_0.gguf", testing::model_bytes(900)},
      {"BF16/Repo-00001-of-00002.gguf", testing::model_bytes(2000)},
      {"BF16/Repo-00002-of-00002.gguf", testing::model_bytes(500)}};
  HttpServer server([&](const ServedRequest& request) {
    return testing::answer_as_hub(request, "own/Repo-GGUF", files);
  });
  const ScopedEnvironment endpoint("HF_ENDPOINT", server.url("/").c_str());
  const ScopedEnvironment token("HF_TOKEN", nullptr);
  const auto offers = hub_offers("own/Repo-GGUF", {});
  ASSERT_EQ(offers.size(), 2u);
  EXPECT_EQ(offers[0].file, "Repo-Q8_0.gguf");
  EXPECT_EQ(offers[0].size, 900u);
  EXPECT_EQ(offers[1].file, "BF16/Repo-00001-of-00002.gguf");
  EXPECT_EQ(offers[1].size, 2500u);
  EXPECT_EQ(offers[1].parts, 2);
  EXPECT_EQ(error_of([] { hub_offers("own/Other", {}); }).code(), Code::not_found);
  EXPECT_EQ(error_of([] { hub_offers("../x", {}); }).code(), Code::invalid_argument);
}

}  // namespace
}  // namespace strata::models
