// Votes and schemas over HTTP: what is stored, whose it is, and what a listener is told.
#include <gtest/gtest.h>

#include "api/access/keys.h"
#include "api/conversation/history.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "core/testing/temp_folder.h"

namespace strata::api::app {
namespace {

using testing::fetch;
using testing::kNowMs;
using testing::Reply;

class Votes : public ::testing::Test {
 protected:
  explicit Votes(bool require_key = false) {
    Services services;
    services.history = &history_;
    services.keys = &keys_;
    ServerOptions options;
    options.require_key = require_key;
    running_.emplace(make_scripted_backend(default_script()), services, options, &keys_);
  }

  Reply call(std::string_view method, const std::string& path, const std::string& body = {},
             const std::string& headers = {}) const {
    return fetch(running_->port(), method, "/api/v1/" + path, body, headers);
  }
  json::value ok(std::string_view method, const std::string& path, const std::string& body = {},
                 const std::string& headers = {}) const {
    const Reply reply = call(method, path, body, headers);
    EXPECT_EQ(reply.status, 200) << path << ": " << reply.body;
    return reply.status == 200 ? parse_json(reply.body) : json::value(json::object{});
  }

  strata::testing::TempFolder folder_;
  KeyStore keys_{folder_.path() / "strata.db"};
  History history_{folder_.path() / "strata.db"};
  std::optional<testing::Running> running_;
};

class VotesOfOwners : public Votes {
 protected:
  VotesOfOwners() : Votes(true) {}
  std::string key(const std::string& name) {
    return "Authorization: Bearer " +
           keys_.create(name, {Scope::inference}, std::nullopt, kNowMs / 1000).secret + "\r\n";
  }
};

TEST_F(Votes, MakeATableThatAListenerIsToldOf) {
  testing::Client listener(running_->port());
  listener.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  listener.receive_until("retry");
  const auto vote = ok("POST", "votes", R"({"models":["a","b"],"winner":"b","blind":true})");
  listener.receive_until("event: votes");
  ok("POST", "votes", R"({"models":["a","b","c"]})");
  auto table = ok("GET", "votes");
  EXPECT_EQ(table.at("total"), 2);
  EXPECT_EQ(table.at("ratings").at(0).at("model"), "b");
  EXPECT_EQ(table.at("ratings").at(0).at("won"), 1);
  EXPECT_EQ(table.at("data").at(0).at("winner"), "");  // the newest first
  EXPECT_EQ(table.at("data").at(1), vote);
  const std::string id(vote.at("id").as_string());
  ok("DELETE", "votes/" + id);
  EXPECT_EQ(call("DELETE", "votes/" + id).status, 404);
  table = ok("GET", "votes");
  EXPECT_EQ(table.at("ratings").as_array().size(), 3u);
  EXPECT_EQ(table.at("ratings").at(0).at("rating"), 1000.0);  // only the tie is left
  EXPECT_EQ(ok("DELETE", "votes").at("deleted"), 1);
  EXPECT_EQ(ok("GET", "votes").at("total"), 0);
}

TEST_F(Votes, ThatSayNothingSensibleAreRefusedByField) {
  const std::string name = std::string(600, 'x');
  for (const auto& [field, body] : std::vector<std::pair<std::string, std::string>>{
           {"models", "{}"},
           {"models", R"({"models":["a"]})"},
           {"models", R"({"models":["a","a"]})"},
           {"models", R"({"models":["a","b","c","d","e"]})"},
           {"models", R"({"models":["a",""]})"},
           {"models", R"({"models":["a",1]})"},
           {"models", R"({"models":["a",")" + name + R"("]})"},
           {"winner", R"({"models":["a","b"],"winner":"c"})"},
           {"winner", R"({"models":["a","b"],"winner":1})"},
           {"blind", R"({"models":["a","b"],"blind":"yes"})"},
           {"colour", R"({"models":["a","b"],"colour":1})"}}) {
    const Reply reply = call("POST", "votes", body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(parse_json(reply.body).at("error").at("field"), json::value(field)) << reply.body;
  }
  EXPECT_EQ(ok("GET", "votes").at("total"), 0);
}

TEST_F(VotesOfOwners, AreNobodyElses) {
  const std::string mine = key("mine"), other = key("other");
  const auto vote = ok("POST", "votes", R"({"models":["a","b"],"winner":"a"})", mine);
  EXPECT_EQ(ok("GET", "votes", "", other).at("total"), 0);
  EXPECT_EQ(call("DELETE", "votes/" + std::string(vote.at("id").as_string()), "", other).status,
            404);
  EXPECT_EQ(ok("DELETE", "votes", "", other).at("deleted"), 0);
  EXPECT_EQ(ok("GET", "votes", "", mine).at("total"), 1);
}

TEST_F(Votes, ASchemaIsJudgedByWhatWouldBindAnAnswer) {
  const auto good = ok("POST", "schema", R"({"schema":{"type":"object"}})");
  EXPECT_EQ(good, (json::value{{"valid", true}}));
  const auto wrong = ok("POST", "schema", R"({"schema":{"properties":{"a":{"type":"colour"}}}})");
  EXPECT_EQ(wrong.at("valid"), false);
  EXPECT_TRUE(wrong.at("message").as_string().starts_with("#/properties/a/type: ")) << wrong;
  EXPECT_EQ(ok("POST", "schema", R"({"schema":false})").at("valid"), false);
  for (const char* body : {"{}", R"({"schema":"x"})", R"({"schema":[]})", R"({"schema":{},"a":1})"})
    EXPECT_EQ(call("POST", "schema", body).status, 400) << body;
  EXPECT_EQ(call("POST", "schema", std::string(2 << 20, ' ')).status, 413);
}

}  // namespace
}  // namespace strata::api::app
