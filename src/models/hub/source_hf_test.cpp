#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "models/hub/pull.h"
#include "models/hub/testing.h"

namespace strata::models {
namespace {

using strata::testing::error_of;
using strata::testing::HttpServer;
using strata::testing::Reply;
using strata::testing::ScopedEnvironment;
using strata::testing::ServedRequest;
using strata::testing::TempFolder;
using ::testing::HasSubstr;
using testing::named_model;

class HubTest : public ::testing::Test {
 protected:
  Reply answer(const ServedRequest& request) {
    return testing::answer_as_hub(request, "own/Repo-GGUF", files);
  }
  std::string pulled(const std::string& reference) {
    options.refresh = true;
    return read_file(store.model_path(pull(store, reference, options).manifest));
  }

  std::map<std::string, std::string> files{
      {"README.md", "# text"},
      {"Repo-Q2_K.gguf", named_model("q2")},
      {"Repo-Q4_K_M.gguf", named_model("q4")},
      {"Repo-Q4_K_M-imatrix.gguf", named_model("longer name")},
      {"Repo-Q8_0.gguf", named_model("q8")},
      {"mmproj-Q4_K_M.gguf", named_model("projector")},
      {"BF16/Repo-BF16-00001-of-00002.gguf", named_model("part 1", 0, 2)},
      {"BF16/Repo-BF16-00002-of-00002.gguf", named_model("part 2", 1, 2)},
  };
  HttpServer server{[this](const ServedRequest& request) { return answer(request); }};
  ScopedEnvironment endpoint{"HF_ENDPOINT", server.url("/").c_str()};
  ScopedEnvironment token{"HF_TOKEN", nullptr};
  TempFolder folder;
  Store store{folder.path() / "store"};
  PullOptions options;  // private addresses refused: HF_ENDPOINT is allowed because it was named
};

TEST_F(HubTest, takes_the_quantisation_asked_for_or_the_best_known) {
  EXPECT_EQ(pulled("hf:own/Repo-GGUF"), named_model("q4"));
  EXPECT_EQ(pulled("hf:own/Repo-GGUF:Q8_0"), named_model("q8"));
  EXPECT_EQ(pulled("hf:own/Repo-GGUF:q2_k"), named_model("q2"));
  EXPECT_EQ(pulled("hf:own/Repo-GGUF:Repo-Q4_K_M-imatrix.gguf"), named_model("longer name"));
  EXPECT_EQ(pulled("hf:own/Repo-GGUF@main:Q2_K"), named_model("q2"));
  EXPECT_EQ(store.find("hf:own/Repo-GGUF:Q8_0").source, "hf:own/Repo-GGUF:Q8_0");
}

TEST_F(HubTest, a_split_model_is_whole) {
  EXPECT_EQ(pulled("hf:own/Repo-GGUF:BF16"), named_model("part 1", 0, 2));
  EXPECT_EQ(store.find("hf:own/Repo-GGUF:BF16").model.size(), 2u);
  files.erase("BF16/Repo-BF16-00002-of-00002.gguf");
  EXPECT_EQ(error_of([&] { pulled("hf:own/Repo-GGUF:BF16"); }).code(), Code::not_found);
}

TEST_F(HubTest, says_what_there_is) {
  const Error error = error_of([&] { pulled("hf:own/Repo-GGUF:Q4_K"); });
  EXPECT_EQ(error.code(), Code::not_found) << "Q4_K is not Q4_K_M";
  EXPECT_THAT(error.hint(), HasSubstr("Repo-Q8_0.gguf"));
  EXPECT_EQ(error_of([&] { pulled("hf:own/Nothing"); }).code(), Code::not_found);
  files = {{"README.md", "x"}, {"model.safetensors", "x"}};
  EXPECT_THAT(error_of([&] { pulled("hf:own/Repo-GGUF"); }).message(), HasSubstr("neither a GGUF"));
}

class HostileHub : public ::testing::Test {
 protected:
  Error error_with(std::function<Reply(const ServedRequest&)> handler) {
    HttpServer server(std::move(handler));
    const ScopedEnvironment endpoint("HF_ENDPOINT", server.url("").c_str());
    return error_of([&] { pull(store, "hf:own/repo", {}); });
  }
  TempFolder folder;
  Store store{folder.path() / "store"};
};

TEST_F(HostileHub, lists_that_are_none_are_refused) {
  for (const std::string body :
       {"", "{", "{}", "null", "[[[[", R"([{"type":"file","path":"../../x.gguf","size":1}])",
        R"([{"type":"file","path":"/etc/x.gguf","size":1}])", R"([{"path":7}])", "[1,2,3]",
        R"([{"type":"file","path":"x.gguf","lfs":{"oid":"../../x","size":1}}])",
        R"([{"type":"directory","path":"x.gguf"}])"}) {
    const Error error = error_with([&](const ServedRequest&) { return Reply{.body = body}; });
    EXPECT_TRUE(error.code() == Code::unavailable || error.code() == Code::not_found)
        << body << ": " << error.what();
  }
}

TEST_F(HostileHub, endless_pages_and_pages_elsewhere_end) {
  int pages = 0;
  error_with([&](const ServedRequest& request) {
    ++pages;
    return Reply{.headers = {{"Link", "<http://" + request.headers.at("host") + request.target +
                                          ">; rel=\"next\""}},
                 .body = "[]"};
  });
  EXPECT_EQ(pages, 50);
  const Error error = error_with([&](const ServedRequest&) {
    return Reply{.headers = {{"Link", "<http://evil.test/>; rel=\"next\""}}, .body = "[]"};
  });
  EXPECT_THAT(error.message(), HasSubstr("another server"));
}

TEST_F(HostileHub, a_file_other_than_listed_is_data_loss) {
  const std::map<std::string, std::string> files{{"a.gguf", "GGUF good"}, {"b", ""}};
  for (const std::string sent : {"GGUF evil", "GGUF goo", "GGUF good and more"}) {
    const Error error = error_with([&](const ServedRequest& request) {
      Reply reply = testing::answer_as_hub(request, "own/repo", files);
      if (request.target.starts_with("/cdn")) reply.body = sent;
      return reply;
    });
    EXPECT_EQ(error.code(), Code::data_loss) << sent;
  }
  EXPECT_TRUE(store.list().empty());
}

TEST_F(HostileHub, the_token_goes_to_the_hub_only) {
  const ScopedEnvironment token("HF_TOKEN", "hf_secret");
  const std::map<std::string, std::string> files{{"a.gguf", named_model("good")}, {"b", ""}};
  HttpServer cdn([&](const ServedRequest&) { return Reply{.body = named_model("good")}; });
  bool api_saw_it = false;
  HttpServer hub([&](const ServedRequest& request) {
    api_saw_it = request.headers.contains("authorization") &&
                 request.headers.at("authorization") == "Bearer hf_secret";
    Reply reply = testing::answer_as_hub(request, "own/repo", files);
    if (reply.status == 302) reply.headers = {{"Location", cdn.url("/x")}};
    return reply;
  });
  const ScopedEnvironment endpoint("HF_ENDPOINT", hub.url("").c_str());
  pull(store, "hf:own/repo", {});
  EXPECT_TRUE(api_saw_it);
  ASSERT_EQ(cdn.requests().size(), 1u);
  EXPECT_FALSE(cdn.requests()[0].headers.contains("authorization"));
}

}  // namespace
}  // namespace strata::models
