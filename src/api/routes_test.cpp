// Every route of the table against every form of credential: a new route is walked without a line
// here.
#include <gtest/gtest.h>

#include "api/access/keys.h"
#include "api/dialect/dialect.h"
#include "api/library.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "core/json.h"
#include "core/testing/temp_folder.h"

namespace strata::api {
namespace {

using testing::fetch;
using testing::kNowMs;
using testing::Reply;
using testing::Running;

constexpr int64_t kNow = kNowMs / 1000;
constexpr std::array kScopes{Scope::inference, Scope::metrics, Scope::models, Scope::admin};

std::string path_of(const Route& route, const std::string& name = "nobody") {
  std::string path = route.pattern;
  for (size_t at = 0; (at = path.find('{')) != std::string::npos;) {
    path.replace(at, path.find('}') - at + 1, name);
  }
  return path;
}

class Routes : public ::testing::Test {
 protected:
  static ServerOptions with_keys() {
    ServerOptions options;
    options.require_key = true;
    return options;
  }

  Reply call(const Route& route, const std::string& headers) const {
    return fetch(running_.port(), route.method, path_of(route), {}, headers);
  }

  // 401, 403, or 0 when the route's own handler answered.
  int refusal(const Route& route, const std::string& headers) const {
    const Reply reply = call(route, headers);
    EXPECT_NE(reply.status, 0);
    EXPECT_EQ(reply.body.find("sk-strata-"), std::string::npos) << "a key in an answer";
    if (reply.status != 401 && reply.status != 403) return 0;
    const auto body = parse_json(reply.body);
    // Rerankers' interface has the message at the top.
    EXPECT_TRUE(body.as_object().contains("error") || body.as_object().contains("message"))
        << reply.body;
    EXPECT_EQ(reply.headers.contains("www-authenticate"), reply.status == 401);
    return reply.status;
  }

  // Every header that carries a key.
  static std::vector<std::string> forms(const std::string& secret) {
    return {"Authorization: Bearer " + secret + "\r\n", "authorization: bearer  " + secret + "\r\n",
            "x-api-key: " + secret + "\r\n", "api-key: " + secret + "\r\n",
            "x-goog-api-key: " + secret + "\r\n"};
  }

  void expect_all(const std::string& headers, int wanted, const std::string& what) const {
    for (const Route& route : running_.server->routes().routes()) {
      const int expected = route.scope == Scope::open ? 0 : wanted;
      EXPECT_EQ(refusal(route, headers), expected)
          << route.method << " " << route.pattern << " with " << what;
    }
  }

  strata::testing::TempFolder folder_;
  KeyStore keys_{folder_.path() / "keys.db"};
  ModelLibrary library_{folder_.path() / "store",
                        {.offline = true, .allow_private = false, .private_hosts = {}}};
  Running running_{default_script(), with_keys(), &keys_, &library_};
};

TEST_F(Routes, WithoutAKeyOnlyOpenOnesAnswer) {
  expect_all("", 401, "nothing");
  expect_all("Authorization: Bearer \r\n", 401, "an empty key");
  expect_all("x-api-key:  \r\n", 401, "a blank key");
}

TEST_F(Routes, AKeyOpensWhatItsScopesHold) {
  for (const Scope scope : kScopes) {
    const auto key = keys_.create("k", {scope}, std::nullopt, kNow);
    for (const Route& route : running_.server->routes().routes()) {
      const int expected = holds({scope}, route.scope) ? 0 : 403;
      for (const std::string& form : forms(key.secret)) {
        EXPECT_EQ(refusal(route, form), expected)
            << route.method << " " << route.pattern << " with a key for " << name(scope);
      }
    }
  }
}

TEST_F(Routes, AKeyInAnotherPlaceIsNoKey) {
  const auto key = keys_.create("k", {Scope::admin}, std::nullopt, kNow);
  for (const std::string form : {"Cookie: key=", "Cookie: Authorization=Bearer ", "X-Auth-Token: ",
                                 "Proxy-Authorization: Bearer ", "X-Authorization: Bearer "}) {
    expect_all(form + key.secret + "\r\n", 401, form);
  }
  expect_all("Authorization: Basic " + key.secret + "\r\n", 401, "Basic");
  expect_all("Authorization: " + key.secret + "\r\n", 401, "no scheme");
  for (const Route& route : running_.server->routes().routes()) {
    if (route.scope == Scope::open || route.key_in_query) continue;
    const auto reply = fetch(running_.port(), route.method,
                             path_of(route) + "?key=" + key.secret + "&api_key=" + key.secret);
    EXPECT_EQ(reply.status, 401) << route.pattern;
  }
}

TEST_F(Routes, KeysThatAreWrongExpiredOrRevokedOpenNothing) {
  const auto good = keys_.create("good", {Scope::admin}, std::nullopt, kNow);
  const auto expired = keys_.create("old", {Scope::admin}, kNow - 5, kNow - 10);
  const auto revoked = keys_.create("gone", {Scope::admin}, std::nullopt, kNow);
  keys_.revoke(revoked.info.id, kNow);
  std::string altered = good.secret;
  altered.back() = altered.back() == 'A' ? 'B' : 'A';
  std::string upper = good.secret;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  for (const std::string& secret :
       {expired.secret, revoked.secret, altered, upper, good.secret + "A",
        good.secret.substr(0, good.secret.size() - 1), std::string(kKeyPrefix),
        std::string("ollama"), good.info.id, std::string("' OR 1=1 --")}) {
    for (const std::string& form : forms(secret)) expect_all(form, 401, form);
  }
}

TEST_F(Routes, TwoKeysAtOnceAreRefusedEvenIfOneIsGood) {
  const auto good = keys_.create("good", {Scope::admin}, std::nullopt, kNow);
  expect_all("Authorization: Bearer " + good.secret + "\r\nx-api-key: sk-strata-other\r\n", 401,
             "two keys");
  expect_all("x-api-key: " + good.secret + "\r\nx-api-key: " + good.secret + "\r\n", 401,
             "one header twice");
}

TEST_F(Routes, AskingForAHeadOrAForeignPageIsNoWayRound) {
  for (const Route& route : running_.server->routes().routes()) {
    if (route.scope == Scope::open) continue;
    if (route.method == "GET") {
      EXPECT_EQ(fetch(running_.port(), "HEAD", path_of(route)).status, 401) << route.pattern;
    }
    const std::string page = "Host: localhost\r\nOrigin: https://evil.example\r\n";
    EXPECT_EQ(call(route, page).status, 403) << route.pattern;
  }
}

TEST_F(Routes, TheOpenOnesOnlyRead) {
  size_t n_open = 0;
  for (const Route& route : running_.server->routes().routes()) {
    if (route.scope != Scope::open) continue;
    ++n_open;
    if (route.pattern == "/api/v1/session/link") {  // which is given a credential
      EXPECT_LE(route.body_limit, 1024u);
      continue;
    }
    EXPECT_EQ(route.method, "GET") << route.pattern;
    EXPECT_EQ(route.body_limit, 0u) << route.pattern;
  }
  EXPECT_GE(n_open, 1u);
  EXPECT_LT(n_open, running_.server->routes().routes().size());
}

TEST_F(Routes, ABodyIsNotReadBeforeTheKeyIsKnown) {
  for (const Route& route : running_.server->routes().routes()) {
    if (route.scope == Scope::open || route.method == "GET") continue;
    testing::Client client(running_.port());
    client.send(
        fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
                    "Expect: 100-continue\r\n\r\n",
                    route.method, path_of(route)));
    EXPECT_TRUE(client.receive_until("\r\n").starts_with("HTTP/1.1 401 ")) << route.pattern;
  }
}

TEST(RoutesWithoutKeys, AnswerEverybodyButNotABadKeyOfOurs) {
  strata::testing::TempFolder folder;
  KeyStore keys(folder.path() / "keys.db");
  ModelLibrary library(folder.path() / "store",
                       {.offline = true, .allow_private = false, .private_hosts = {}});
  Running running(default_script(), {}, &keys, &library);
  const auto narrow = keys.create("narrow", {Scope::metrics}, std::nullopt, kNow);
  for (const Route& route : running.server->routes().routes()) {
    const auto status = [&](const std::string& headers) {
      return fetch(running.port(), route.method, path_of(route), {}, headers).status;
    };
    EXPECT_NE(status(""), 401) << route.pattern;
    EXPECT_NE(status("Authorization: Bearer ollama\r\n"), 401) << route.pattern;
    if (route.scope == Scope::open) continue;
    EXPECT_EQ(status("x-api-key: sk-strata-unknown\r\n"), 401) << route.pattern;
    const int expected = route.scope == Scope::metrics ? 200 : 403;
    EXPECT_EQ(status("x-api-key: " + narrow.secret + "\r\n"), expected) << route.pattern;
  }
}

TEST(RoutesWithoutKeys, RefuseAPathThatCannotBeDecodedInTheirOwnShape) {
  const Error expected(Code::invalid_argument,
                       "the request's target must be a path such as /v1/models");
  const Running running;
  for (const auto& dialect : Registry<Dialect>::all()) {
    const std::string shape = error_response(*dialect, expected).body;
    for (const Route& route : running.server->routes().routes()) {
      if (route.dialect != dialect->name() || route.pattern.find('{') == std::string::npos)
        continue;
      std::string headers;
      if (!route.header.empty()) headers = route.header + ": " + route.header_has + "x\r\n";
      for (const char* name : {"a%18", "%ff", "100%"}) {
        const Reply reply = fetch(running.port(), route.method, path_of(route, name), {}, headers);
        EXPECT_EQ(reply.status, 400) << route.pattern;
        EXPECT_EQ(reply.body, shape) << route.method << " " << route.pattern;
      }
    }
  }
}

}  // namespace
}  // namespace strata::api
