// The keys over HTTP: what a key page sees, and who may see it.
#include "api/access/keys.h"

#include <gtest/gtest.h>

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

Services with_keys(KeyStore& keys) {
  Services services;
  services.keys = &keys;
  return services;
}

ServerOptions asking_for_keys() {
  ServerOptions options;
  options.require_key = true;
  return options;
}

class KeyRoutes : public ::testing::Test {
 protected:
  Reply send(std::string_view method, const std::string& path, const std::string& secret,
             std::string_view body = {}) const {
    return fetch(running_.port(), method, path, body,
                 "Content-Type: application/json\r\nanthropic-version: 2023-06-01\r\nx-api-key: " +
                     secret + "\r\n");
  }
  json::value call(std::string_view method, const std::string& path, int status,
                   std::string_view body = {}) const {
    const Reply reply = send(method, "/api/v1/keys" + path, admin_.secret, body);
    EXPECT_EQ(reply.status, status) << method << " " << path << ": " << reply.body;
    return parse_json(reply.body);
  }
  json::object only(const std::string& id) const {
    const json::value all = call("GET", "", 200);
    for (const json::value& each : all.at("data").as_array()) {
      if (each.at("id") == json::string(id)) return each.as_object();
    }
    return {};
  }

  strata::testing::TempFolder folder_;
  KeyStore keys_{folder_.path() / "strata.db"};
  NewKey admin_ = keys_.create("operator", {Scope::admin}, std::nullopt, kNow);
  Running running_{make_scripted_backend(default_script()), with_keys(keys_), asking_for_keys(),
                   &keys_};
};

TEST_F(KeyRoutes, WalkThroughALifeOfAKey) {
  const json::value made =
      call("POST", "", 201, R"({"name": "laptop", "scopes": ["inference"], "expires_in": 60})");
  const std::string secret(made.at("secret").as_string());
  const std::string id(made.at("id").as_string());
  EXPECT_EQ(made.at("expires"), kNow + 60);
  EXPECT_EQ(made.at("masked"), json::string("sk-strata-…" + secret.substr(secret.size() - 4)));
  EXPECT_EQ(send("GET", "/v1/models", secret).status, 200);

  const Reply listed = send("GET", "/api/v1/keys", admin_.secret);
  EXPECT_EQ(listed.headers.at("cache-control"), "no-store");
  EXPECT_EQ(listed.body.find(secret), std::string::npos);
  EXPECT_EQ(only(id).at("state"), "live");
  EXPECT_EQ(only(id).at("last_used"), kNow);

  EXPECT_EQ(call("DELETE", "/" + id, 200).at("state"), "revoked");
  EXPECT_EQ(call("DELETE", "/" + id, 200).at("revoked"), kNow) << "once more changes nothing";
  EXPECT_EQ(send("GET", "/v1/models", secret).status, 401);
}

TEST_F(KeyRoutes, CountWhatAKeyHasUsedWhicheverWayItAsked) {
  const NewKey key = keys_.create("laptop", {Scope::inference}, std::nullopt, kNow);
  const auto ask = [&](const std::string& path, const std::string& body) {
    const Reply reply = send("POST", path, key.secret, body);
    EXPECT_EQ(reply.status, 200) << path << ": " << reply.body;
    return parse_json(reply.body);
  };
  const std::string words = R"("model": "echo", "messages": [{"role": "user", "content": "Hi"}])";
  const json::value chat = ask("/v1/chat/completions", "{" + words + R"(, "n": 2})").at("usage");
  const json::value message =
      ask("/v1/messages", "{" + words + R"(, "max_tokens": 5})").at("usage");
  const json::object used = only(key.info.id);
  EXPECT_EQ(used.at("requests"), 2);
  EXPECT_EQ(used.at("prompt_tokens").as_int64(),
            chat.at("prompt_tokens").as_int64() + message.at("input_tokens").as_int64());
  EXPECT_EQ(used.at("completion_tokens").as_int64(),
            chat.at("completion_tokens").as_int64() + message.at("output_tokens").as_int64());
  EXPECT_GT(used.at("completion_tokens").as_int64(), 0);
  EXPECT_EQ(only(admin_.info.id).at("requests"), 0);
}

TEST_F(KeyRoutes, AreForAdminsAlone) {
  const NewKey key =
      keys_.create("all but admin", {Scope::inference, Scope::models, Scope::metrics}, {}, kNow);
  EXPECT_EQ(send("GET", "/api/v1/keys", key.secret).status, 403);
  EXPECT_EQ(send("POST", "/api/v1/keys", key.secret, R"({"name": "x"})").status, 403);
  EXPECT_EQ(send("DELETE", "/api/v1/keys/" + admin_.info.id, key.secret).status, 403);
  EXPECT_EQ(keys_.list().size(), 2u);
}

TEST_F(KeyRoutes, SayWhatIsWrong) {
  EXPECT_EQ(call("POST", "", 400, R"({})").at("error").at("field"), "name");
  EXPECT_EQ(call("POST", "", 400, R"({"name": "x", "scope": []})").at("error").at("field"),
            "scope");
  call("POST", "", 400, R"({"name": ""})");
  call("POST", "", 400, R"({"name": "x", "scopes": []})");
  call("POST", "", 400, R"({"name": "x", "scopes": ["open"]})");
  call("POST", "", 400, R"({"name": "x", "scopes": ["everything"]})");
  call("POST", "", 400, R"({"name": "x", "expires_in": 0})");
  call("DELETE", "/operator", 404);
  EXPECT_EQ(keys_.list().size(), 1u);
}

TEST(KeyRoutesWithoutKeys, AreTheOperatorsOnThisMachineAndNobodysFromOthers) {
  const strata::testing::TempFolder folder;
  KeyStore keys(folder.path() / "strata.db");
  {
    const Running alone(make_scripted_backend(default_script()), with_keys(keys), {}, &keys);
    EXPECT_EQ(fetch(alone.port(), "POST", "/api/v1/keys", R"({"name": "x"})").status, 201);
  }
  ServerOptions open;
  open.host = "0.0.0.0";
  open.allow_unprotected = true;
  const Running shared(make_scripted_backend(default_script()), with_keys(keys), open, &keys);
  EXPECT_EQ(fetch(shared.port(), "POST", "/api/v1/keys", R"({"name": "y"})").status, 403);
  EXPECT_EQ(fetch(shared.port(), "GET", "/api/v1/keys").status, 403);
  EXPECT_EQ(keys.list().size(), 1u);
}

}  // namespace
}  // namespace strata::api
