// Batches of messages over a real socket, with the scripted backend behind them.
#include <thread>

#include <gtest/gtest.h>

#include "api/files/batch_runner.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "core/json.h"
#include "core/testing/temp_folder.h"

namespace strata::api::anthropic {
namespace {

using api::testing::fetch;
using api::testing::kNowMs;
using api::testing::Reply;
using api::testing::Running;

constexpr std::string_view kHeaders =
    "anthropic-version: 2023-06-01\r\nContent-Type: application/json\r\n";
const std::string kBatches = "/v1/messages/batches";

std::string request(std::string_view id, std::string_view content, std::string_view model = "m") {
  return fmt::format(R"({{"custom_id":"{}","params":{{"model":"{}","max_tokens":9,"messages":)"
                     R"([{{"role":"user","content":"{}"}}]}}}})",
                     id, model, content);
}

std::string batch_of(const std::string& requests) {
  return "{\"requests\":[" + requests + "]}";
}

class MessageBatches : public ::testing::Test {
 protected:
  Services services() {
    Services all;
    all.files = &files_;
    all.batches = &batches_;
    return all;
  }

  Reply ask(std::string_view method, const std::string& path, const std::string& body = {}) const {
    return fetch(running_.port(), method, path, body, kHeaders);
  }
  json::value call(std::string_view method, const std::string& path, const std::string& body = {},
                   int status = 200) const {
    const Reply reply = ask(method, path, body);
    EXPECT_EQ(reply.status, status) << method << " " << path << reply.body;
    return parse_json(reply.body);
  }
  std::string begin(const std::string& requests) const {
    return std::string(call("POST", kBatches, batch_of(requests)).at("id").as_string());
  }
  json::value ended(const std::string& id) const {
    while (true) {
      json::value seen = call("GET", kBatches + "/" + id);
      if (seen.at("processing_status") == "ended") return seen;
      std::this_thread::yield();
    }
  }
  std::vector<json::value> results(const std::string& id) const {
    std::vector<json::value> lines;
    std::string text = ask("GET", kBatches + "/" + id + "/results").body;
    for (size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
      lines.push_back(parse_json(text.substr(0, end)));
    }
    return lines;
  }
  void expect_refused(const std::string& body, const std::string& says) const {
    const json::value error = call("POST", kBatches, body, 400);
    EXPECT_EQ(error.at("type"), "error");
    EXPECT_NE(to_json(error).find(says), std::string::npos) << to_json(error);
  }

  strata::testing::TempFolder folder_;
  FileStore files_{folder_.path() / "strata.db", folder_.path() / "files"};
  BatchRunner batches_{folder_.path() / "strata.db", files_, [] { return kNowMs; }};
  Running running_{make_scripted_backend(parse_script(R"({"models": [{"name": "m"},
                     {"name": "slow", "tokens_per_second": 0.001}]})")),
                   services()};
};

TEST_F(MessageBatches, AnswerEachRequestInItsPlace) {
  const json::value made = call("POST", kBatches,
                                batch_of(request("b", "two") + "," + request("a", "one", "nobody") +
                                         "," + request("c", "three")));
  EXPECT_EQ(made.at("type"), "message_batch");
  EXPECT_EQ(made.at("request_counts").at("processing"), 3);
  EXPECT_TRUE(made.at("results_url").is_null());
  const std::string id(made.at("id").as_string());
  EXPECT_TRUE(id.starts_with("msgbatch_"));
  const json::value seen = ended(id);
  EXPECT_EQ(
      seen.at("request_counts"),
      (json::object{
          {"processing", 0}, {"succeeded", 2}, {"errored", 1}, {"canceled", 0}, {"expired", 0}}));
  EXPECT_TRUE(
      seen.at("results_url").as_string().ends_with("/v1/messages/batches/" + id + "/results"));
  const Reply behind_proxy = fetch(running_.port(), "GET", kBatches + "/" + id, {},
                                   std::string(kHeaders) + "X-Forwarded-Proto: https\r\n");
  EXPECT_TRUE(parse_json(behind_proxy.body).at("results_url").as_string().starts_with("https://"));
  const auto lines = results(id);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].at("custom_id"), "b");
  EXPECT_EQ(lines[0].at("result").at("type"), "succeeded");
  EXPECT_EQ(lines[0].at("result").at("message").at("content").at(0).at("text"), "two");
  EXPECT_EQ(lines[1].at("custom_id"), "a");
  EXPECT_EQ(lines[1].at("result").at("type"), "errored");
  EXPECT_EQ(lines[1].at("result").at("error").at("error").at("type"), "not_found_error");
  EXPECT_EQ(lines[2].at("result").at("message").at("content").at(0).at("text"), "three");
}

TEST_F(MessageBatches, OfWrongParamsHaveThatAsTheirResult) {
  const std::string id = begin(R"({"custom_id":"x","params":{"model":"m"}})");
  EXPECT_EQ(ended(id).at("request_counts").at("errored"), 1);
  const auto lines = results(id);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].at("result").at("error").at("error").at("type"), "invalid_request_error");
}

TEST_F(MessageBatches, ThatAreCancelledSayWhichWereNotAnswered) {
  const std::string id = begin(request("a", "one two", "slow") + "," + request("b", "x", "slow"));
  for (const Reply& early :
       {ask("GET", kBatches + "/" + id + "/results"), ask("DELETE", kBatches + "/" + id)}) {
    EXPECT_EQ(early.status, 409);
    EXPECT_FALSE(early.headers.contains("x-should-retry")) << "waiting mends it";
  }
  const json::value cancelled = call("POST", kBatches + "/" + id + "/cancel");
  EXPECT_FALSE(cancelled.at("cancel_initiated_at").is_null());
  const json::value seen = ended(id);
  const int64_t n = seen.at("request_counts").at("canceled").as_int64();
  EXPECT_GE(n, 1);
  EXPECT_EQ(n + seen.at("request_counts").at("succeeded").as_int64(), 2);
  const auto lines = results(id);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(std::ranges::count_if(
                lines, [](const auto& line) { return line.at("result").at("type") == "canceled"; }),
            n);
}

TEST_F(MessageBatches, GoWithTheirFilesWhenTheyAreDeleted) {
  const std::string id = begin(request("a", "one"));
  ended(id);
  EXPECT_EQ(call("DELETE", kBatches + "/" + id),
            (json::object{{"id", id}, {"type", "message_batch_deleted"}}));
  call("GET", kBatches + "/" + id, {}, 404);
  EXPECT_TRUE(files_.list({.limit = 9}, kNowMs / 1000).empty());
}

TEST_F(MessageBatches, AndThoseOfFilesDoNotSeeEachOther) {
  const std::string first = begin(request("a", "one")), second = begin(request("a", "two"));
  const json::value listed = call("GET", kBatches + "?limit=1");
  EXPECT_EQ(listed.at("data").at(0).at("id"), json::string(second));
  EXPECT_EQ(listed.at("has_more"), true);
  EXPECT_EQ(call("GET", kBatches + "?after_id=" + second).at("first_id"), json::string(first));
  EXPECT_TRUE(call("GET", "/v1/batches").at("data").as_array().empty());
  call("GET", "/v1/batches/" + first, {}, 404);
  call("POST", "/v1/batches/" + first + "/cancel", {}, 404);
}

TEST_F(MessageBatches, AreRefusedByTheFieldThatIsWrong) {
  expect_refused("{}", "requests");
  expect_refused(batch_of(""), "requests");
  expect_refused(batch_of("5"), "requests[0]");
  expect_refused(batch_of(R"({"params":{}})"), "requests[0].custom_id");
  expect_refused(batch_of(request("a b", "x")), "requests[0].custom_id");
  expect_refused(batch_of(request(std::string(65, 'a'), "x")), "requests[0].custom_id");
  expect_refused(batch_of(request("a", "x") + "," + request("a", "x")), "requests[1].custom_id");
  expect_refused(batch_of(R"({"custom_id":"a"})"), "requests[0].params");
  expect_refused(batch_of(R"({"custom_id":"a","params":{"stream":true}})"), "params.stream");
  expect_refused(batch_of(R"({"custom_id":"a","params":{},"x":1})"), "requests[0].x");
  EXPECT_TRUE(files_.list({.limit = 9}, kNowMs / 1000).empty());
  EXPECT_EQ(ask("GET", kBatches + "?limit=0").status, 400);
  EXPECT_EQ(ask("GET", kBatches + "?before_id=x").status, 400);
}

}  // namespace
}  // namespace strata::api::anthropic
