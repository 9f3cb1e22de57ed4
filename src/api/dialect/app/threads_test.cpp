// The app's conversations over HTTP: what is stored, whose it is, and what a listener is told.
#include <gtest/gtest.h>

#include "api/access/keys.h"
#include "api/conversation/history.h"
#include "api/site.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "core/testing/temp_folder.h"

namespace strata::api::app {
namespace {

using testing::fetch;
using testing::kNowMs;
using testing::Reply;

constexpr std::string_view kAnswered = R"("role":"assistant","status":"done")";

std::string text(const json::value& object, std::string_view key) {
  return std::string(object.at(key).as_string());
}

class Threads : public ::testing::Test {
 protected:
  explicit Threads(bool require_key = false) {
    Services services;
    services.history = &history_;
    services.keys = &keys_;
    ServerOptions options;
    options.require_key = require_key;
    ScriptedOptions script = default_script();
    script.models[0].rules = {
        {.contains = "weather", .role = "user", .calls = {{"get_weather", R"({"town":"Bern"})"}}},
        {.role = "tool", .reply = "It is {message}."}};
    running_.emplace(make_scripted_backend(script), services, options, &keys_);
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
  std::string begin(const std::string& headers = {}) const {
    return text(ok("POST", "conversations", "{}", headers), "id");
  }
  std::string say(const std::string& id, const std::string& what, const std::string& parent = {},
                  const std::string& headers = {}) const {
    const json::object body{{"text", what}, {"parent", parent}};
    return text(ok("POST", "conversations/" + id + "/messages", to_json(body), headers), "id");
  }

  strata::testing::TempFolder folder_;
  KeyStore keys_{folder_.path() / "strata.db"};
  History history_{folder_.path() / "strata.db"};
  std::optional<testing::Running> running_;
};

TEST_F(Threads, AnAnswerIsMadeWithoutItsWindowAndKept) {
  testing::Client listener(running_->port());
  listener.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  listener.receive_until("retry");
  const std::string id = begin();
  const std::string question = say(id, "one two three");
  const auto answer = ok("POST", "conversations/" + id + "/answers",
                         to_json(json::object{{"model", "echo"}, {"parent", question}}));
  EXPECT_EQ(text(answer, "status"), "working");
  const std::string told = listener.receive_until(kAnswered);
  EXPECT_NE(told.find("event: delta"), std::string::npos) << told;
  const auto thread = ok("GET", "conversations/" + id);
  ASSERT_EQ(thread.at("messages").as_array().size(), 2u);
  const auto& kept = thread.at("messages").at(1);
  EXPECT_EQ(text(kept, "text"), "one two three");
  EXPECT_EQ(text(kept, "parent"), question);
  EXPECT_EQ(text(thread, "title"), "one two three");
  EXPECT_EQ(text(thread, "leaf"), text(kept, "id"));
}

TEST_F(Threads, AnEditedQuestionStandsBesideTheFirst) {
  const std::string id = begin();
  const std::string first = say(id, "first"), second = say(id, "second");
  const auto thread = ok("GET", "conversations/" + id);
  EXPECT_EQ(text(thread, "leaf"), second);
  EXPECT_EQ(text(thread.at("messages").at(0), "parent"),
            text(thread.at("messages").at(1), "parent"));
  ok("PATCH", "conversations/" + id, to_json(json::object{{"leaf", first}}));
  EXPECT_EQ(text(ok("GET", "conversations/" + id), "leaf"), first);
  EXPECT_EQ(call("PATCH", "conversations/" + id, R"({"leaf":"tmsg_0"})").status, 404);
}

TEST_F(Threads, AreFoundByTitleAndByTheBeginningOfAWord) {
  const std::string id = begin(), other = begin();
  say(id, "a walk along the river");
  say(other, "nothing");
  ok("PATCH", "conversations/" + other, R"({"title":"100% sure"})");
  const auto found = [&](const std::string& words) {
    json::array ids;
    const json::value listed = ok("GET", "conversations?query=" + words);
    for (const auto& each : listed.at("data").as_array()) {
      ids.push_back(each.at("id"));
    }
    return ids;
  };
  EXPECT_EQ(found("riv"), json::array{json::value(id)});
  EXPECT_EQ(found("100%25"), json::array{json::value(other)});
  EXPECT_EQ(found("%22%20OR%20%22"), json::array{});
  EXPECT_EQ(found("river*"), json::array{json::value(id)});
  ok("DELETE", "conversations/" + id);
  EXPECT_EQ(found("riv"), json::array{});
}

TEST_F(Threads, ATitleThatAPersonGaveStays) {
  const std::string id = begin();
  ok("PATCH", "conversations/" + id, R"({"title":"mine","pinned":true,"draft":"half"})");
  const auto drafted = ok("GET", "conversations/" + id);
  EXPECT_EQ(text(drafted, "draft"), "half");
  say(id, "hello");
  const auto thread = ok("GET", "conversations/" + id);
  EXPECT_EQ(text(thread, "title"), "mine");
  EXPECT_EQ(text(thread, "draft"), "");
  EXPECT_TRUE(thread.at("pinned").as_bool());
}

TEST_F(Threads, WithoutAModelAScriptSaysHello) {
  testing::Client listener(running_->port());
  listener.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  listener.receive_until("retry");
  const std::string id = begin();
  ok("POST", "conversations/" + id + "/answers",
     to_json(json::object{{"model", ""}, {"parent", say(id, "hi")}}));
  listener.receive_until(kAnswered);
  EXPECT_TRUE(
      text(ok("GET", "conversations/" + id).at("messages").at(1), "text").starts_with("Hello!"));
}

TEST_F(Threads, WhatAToolGaveBackIsKeptAndReadByTheModel) {
  testing::Client listener(running_->port());
  listener.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  listener.receive_until("retry");
  const std::string id = begin();
  const std::string place = "conversations/" + id + "/answers";
  const json::value tool{{"type", "function"}, {"function", {{"name", "get_weather"}}}};
  ok("POST", place,
     to_json(
         json::object{{"model", "echo"}, {"parent", say(id, "the weather?")}, {"tools", {tool}}}));
  listener.receive_until(kAnswered);
  const auto called = ok("GET", "conversations/" + id).at("messages").at(1);
  const auto& call_made = called.at("data").at("calls").at(0);
  EXPECT_EQ(text(call_made, "arguments"), R"({"town":"Bern"})");
  const std::string outputs = place + "/" + text(called, "id") + "/outputs";
  const auto told = [&](const std::string& call_id) {
    return to_json(json::object{{"outputs", {json::object{{"id", call_id}, {"output", "sunny"}}}}});
  };
  EXPECT_EQ(call("POST", outputs, told("none")).status, 400);
  EXPECT_EQ(call("POST", outputs, R"({"outputs": []})").status, 400);
  EXPECT_EQ(call("POST", place + "/tmsg_0/outputs", told("none")).status, 404);
  ok("POST", outputs, told(text(call_made, "id")));
  listener.receive_until(R"("output":"sunny")");
  ok("POST", place, to_json(json::object{{"model", "echo"}, {"parent", text(called, "id")}}));
  listener.receive_until(kAnswered);
  const auto thread = ok("GET", "conversations/" + id);
  EXPECT_EQ(text(thread.at("messages").at(1).at("data").at("calls").at(0), "output"), "sunny");
  EXPECT_EQ(text(thread.at("messages").at(2), "text"), "It is sunny.");
}

TEST_F(Threads, ToolsThatAreNoneAreRefusedByField) {
  const std::string id = begin(), parent = say(id, "the weather?");
  for (const std::string_view tools :
       {R"([{"type": "custom", "function": {"name": "a"}}])", R"([{"type": "function"}])",
        R"([{"type": "function", "function": {"name": "a b"}}])",
        R"([{"type": "function", "function": {"name": "a", "parameters": []}}])",
        R"([{"type": "function", "function": {"name": "a"}},
            {"type": "function", "function": {"name": "a"}}])"}) {
    const Reply reply =
        call("POST", "conversations/" + id + "/answers",
             fmt::format(R"({{"model": "echo", "parent": "{}", "tools": {}}})", parent, tools));
    EXPECT_EQ(reply.status, 400) << reply.body;
    EXPECT_NE(reply.body.find(R"("field":"tools[)"), std::string::npos) << reply.body;
  }
}

TEST_F(Threads, WhatAServerLeftUnfinishedIsCut) {
  const std::filesystem::path path = folder_.path() / "crashed.db";
  std::string id;
  {
    History history(path);
    id = text(history.threads.create("", {}, kNowMs), "id");
    history.threads.add("", id, {.role = "assistant", .status = "working", .text = "half"}, kNowMs);
  }
  History history(path);
  const auto messages = history.threads.messages("", id);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].status, kMessageCut);
  EXPECT_EQ(messages[0].text, "half");
  EXPECT_EQ(history.threads.list("", {.words = "half"}).size(), 1u);
}

TEST_F(Threads, WhatEndsWithoutItsWindowIsSeenByWhenItsConversationChanged) {
  const std::string id = text(history_.threads.create("", {}, kNowMs), "id");
  const auto updated = [&] { return history_.threads.find("", id)->at("updated").as_int64(); };
  ThreadMessage answer =
      history_.threads.add("", id, {.role = "assistant", .status = "working"}, kNowMs);
  answer.text = "half";
  ASSERT_TRUE(history_.threads.update("", id, answer, kNowMs + 1));
  EXPECT_EQ(updated(), kNowMs);  // each step would tell all windows to read it
  answer.status = kMessageCut;
  ASSERT_TRUE(history_.threads.update("", id, answer, kNowMs + 2));
  EXPECT_EQ(updated(), kNowMs + 2);
}

TEST_F(Threads, AnAnswerThatIsBeingWrittenIsWaitedFor) {
  const std::string id = text(history_.threads.create("", {}, kNowMs), "id");
  const ThreadMessage working =
      history_.threads.add("", id, {.role = "assistant", .status = "working"}, kNowMs);
  const std::string place = "conversations/" + id + "/answers";
  for (const Reply& early :
       {call("POST", place, R"({"model": "echo", "continue": ")" + working.id + "\"}"),
        call("POST", place + "/" + working.id + "/outputs", R"({"outputs": []})")}) {
    EXPECT_EQ(early.status, 409) << early.body;
    EXPECT_FALSE(early.headers.contains("x-should-retry"));
  }
}

class ThreadsOfOwners : public Threads {
 protected:
  ThreadsOfOwners() : Threads(true) {}
  std::string key(const std::string& name) {
    const auto made = keys_.create(name, {Scope::inference}, std::nullopt, kNowMs / 1000);
    return "x-api-key: " + made.secret + "\r\n";
  }
};

TEST_F(ThreadsOfOwners, AnotherKeysConversationIsNotThere) {
  const std::string mine = key("mine"), other = key("other");
  const std::string id = begin(mine);
  const std::string message = say(id, "secret", "", mine);
  const std::string place = "conversations/" + id;
  const json::object ask{{"model", "echo"}, {"parent", message}};
  const std::vector<std::array<std::string, 3>> requests{
      {"GET", place, ""},
      {"PATCH", place, R"({"title":"x"})"},
      {"PATCH", place, to_json(json::object{{"leaf", message}})},
      {"POST", place + "/messages", R"({"text":"x"})"},
      {"POST", place + "/messages", to_json(json::object{{"text", "x"}, {"parent", message}})},
      {"POST", place + "/answers", to_json(ask)},
      {"POST", place + "/answers/" + message + "/cancel", "{}"},
      {"DELETE", place, ""}};
  for (const auto& [method, path, body] : requests) {
    const Reply reply = call(method, path, body, other);
    EXPECT_EQ(reply.status, 404) << method << " " << path << ": " << reply.body;
    EXPECT_EQ(reply.body.find("secret"), std::string::npos);
  }
  EXPECT_EQ(ok("GET", "conversations?query=secret", "", other).at("data").as_array().size(), 0u);
  EXPECT_EQ(ok("GET", place, "", mine).at("messages").as_array().size(), 1u);
}

TEST_F(ThreadsOfOwners, WhatIsSharedIsACopyForWhoHasTheLink) {
  const std::string mine = key("mine"), other = key("other");
  const std::string id = begin(mine), place = "conversations/" + id + "/share";
  const std::string first = say(id, "for all", "", mine);
  for (const char* method : {"GET", "POST", "DELETE"}) {
    const std::string body = method == std::string_view("GET") ? "" : "{}";
    EXPECT_EQ(call(method, place, body, other).status, 404) << method;
  }
  EXPECT_EQ(ok("GET", place, "", mine), (json::object{{"shared", false}}));
  const std::string token = text(ok("POST", place, "{}", mine), "token");
  EXPECT_EQ(text(ok("GET", place, "", mine), "token"), token);
  say(id, "later", first, mine);
  const auto shown = ok("GET", "shared/" + token);  // without a key
  ASSERT_EQ(shown.at("messages").as_array().size(), 1u);
  EXPECT_EQ(text(shown.at("messages").at(0), "text"), "for all");
  EXPECT_EQ(to_json(shown).find(id), std::string::npos);
  EXPECT_EQ(call("GET", "shared/share_" + std::string(64, '0')).status, 404);

  const std::string next = text(ok("POST", place, "{}", mine), "token");
  EXPECT_EQ(call("GET", "shared/" + token).status, 404);
  EXPECT_EQ(ok("GET", "shared/" + next).at("messages").as_array().size(), 2u);
  ok("DELETE", place, "{}", mine);
  EXPECT_EQ(call("GET", "shared/" + next).status, 404);
  const std::string last = text(ok("POST", place, "{}", mine), "token");
  ok("DELETE", "conversations/" + id, "", mine);
  EXPECT_EQ(call("GET", "shared/" + last).status, 404);
}

TEST_F(ThreadsOfOwners, ASessionStandsForItsKeyUntilItIsClosed) {
  const std::string mine = key("mine");
  const Reply opened = call("POST", "session", "{}", mine);
  ASSERT_EQ(opened.status, 200) << opened.body;
  const std::string set = opened.headers.at("set-cookie");
  EXPECT_NE(set.find("HttpOnly; SameSite=Strict"), std::string::npos) << set;
  const std::string cookie = "Cookie: a=b; " + set.substr(0, set.find(';')) + "\r\n";
  const std::string from_app = cookie + "x-strata-app: 1\r\n";
  EXPECT_EQ(call("POST", "conversations", "{}", cookie).status, 403);  // as a foreign form would
  const std::string id = begin(from_app);
  EXPECT_EQ(call("GET", "conversations/" + id, "", mine).status, 200);
  EXPECT_EQ(call("DELETE", "session", "{}", from_app).status, 200);
  EXPECT_EQ(call("GET", "conversations/" + id, "", cookie).status, 401);
  EXPECT_EQ(call("GET", "conversations", "", "Cookie: strata_session=" + mine.substr(11)).status,
            401);  // a key is no session
}

TEST_F(ThreadsOfOwners, ALinkSignsOneBrowserInAndMakesItsKey) {
  const auto invite = [&] {
    const Invitation invitation = keys_.invite("anna", {Scope::inference}, kNowMs / 1000);
    return to_json(json::object{{"invitation", invitation.code}});
  };
  const std::string body = invite();
  EXPECT_EQ(call("POST", "session/link", body, "Origin: http://evil.example\r\n").status, 403);
  const Reply opened = call("POST", "session/link", body);
  ASSERT_EQ(opened.status, 200) << opened.body;
  const std::string set = opened.headers.at("set-cookie");
  EXPECT_NE(set.find("HttpOnly; SameSite=Strict"), std::string::npos) << set;
  const std::string cookie = "Cookie: " + set.substr(0, set.find(';')) + "\r\nx-strata-app: 1\r\n";
  const std::string id = begin(cookie);
  const std::string secret = text(parse_json(opened.body).as_object(), "secret");
  EXPECT_EQ(call("GET", "conversations/" + id, "", "x-api-key: " + secret + "\r\n").status, 200);

  const Reply again = call("POST", "session/link", body);
  EXPECT_EQ(again.status, 401);
  EXPECT_FALSE(again.headers.contains("set-cookie"));
  EXPECT_EQ(call("POST", "session/link", R"({"invitation":"invitation-strata-no"})").status, 401);
  for (const char* bad : {"", "{}", R"({"invitation":7})", R"({"invitation":"a","more":1})"}) {
    EXPECT_EQ(call("POST", "session/link", bad).status, 400) << bad;
  }
  // The session that the browser had ends.
  EXPECT_EQ(call("POST", "session/link", invite(), cookie).status, 200);
  EXPECT_EQ(call("GET", "conversations/" + id, "", cookie).status, 401);
}

TEST_F(ThreadsOfOwners, ARevokedKeysStreamEndsAtOnceAndItsLinksShowNothing) {
  const NewKey mine = keys_.create("mine", {Scope::inference}, std::nullopt, kNowMs / 1000);
  const NewKey chief = keys_.create("chief", {Scope::admin}, std::nullopt, kNowMs / 1000);
  const std::string header = "x-api-key: " + mine.secret + "\r\n", other = key("other");
  const std::string id = begin(header), others = begin(other);
  say(id, "for all", "", header);
  const auto link = [&](const std::string& thread, const std::string& whose) {
    const std::string place = "conversations/" + thread + "/share";
    return "shared/" + text(ok("POST", place, "{}", whose), "token");
  };
  const std::string shown = link(id, header), stays = link(others, other);
  const auto listen = [&](testing::Client& client, const std::string& whose) {
    client.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n" + whose + "\r\n");
    client.receive_until("retry");
  };
  testing::Client first(running_->port()), second(running_->port()), third(running_->port());
  listen(first, header);
  listen(second, header);
  listen(third, other);
  ok("DELETE", "keys/" + mine.info.id, "", "x-api-key: " + chief.secret + "\r\n");
  for (testing::Client* each : {&first, &second}) {
    EXPECT_TRUE(each->receive_until("\r\n0\r\n\r\n").ends_with("\r\n0\r\n\r\n"));
  }
  EXPECT_EQ(call("GET", shown).status, 404);
  EXPECT_EQ(call("GET", stays).status, 200);
  say(others, "still told", "", other);
  EXPECT_NE(third.receive_until("still told").find("still told"), std::string::npos);
}

TEST_F(ThreadsOfOwners, WhoWasRevokedByAnotherProgramIsToldNothingMore) {
  const NewKey mine = keys_.create("mine", {Scope::inference}, std::nullopt, kNowMs / 1000);
  testing::Client listener(running_->port());
  listener.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nx-api-key: " + mine.secret +
                "\r\n\r\n");
  listener.receive_until("retry");
  KeyStore(folder_.path() / "strata.db").revoke(mine.info.id, kNowMs / 1000);
  history_.feed.tell(mine.info.id, "message", {{"text", "secret"}});
  const std::string rest = listener.receive_until("\r\n0\r\n\r\n");
  EXPECT_TRUE(rest.ends_with("\r\n0\r\n\r\n")) << rest;
  EXPECT_EQ(rest.find("secret"), std::string::npos) << rest;
}

TEST_F(ThreadsOfOwners, TheCookieIsSecureWhereThePageCameOverTls) {
  const std::string mine = key("mine");
  const auto set = [&](const std::string& headers) {
    const Reply reply = call("POST", "session", "{}", mine + headers);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return reply.headers.at("set-cookie");
  };
  EXPECT_TRUE(set("Origin: https://localhost\r\n").ends_with("; Secure"));
  EXPECT_EQ(set("Origin: http://localhost\r\n").find("Secure"), std::string::npos);
  EXPECT_EQ(set("X-Forwarded-Proto: https\r\n").find("Secure"), std::string::npos);
}

TEST(AppSite, AnEmptyBundleSaysHowToBuildIt) {
  const Site site("");
  Services services;
  services.site = &site;
  testing::Running running(make_scripted_backend(default_script()), services);
  const Reply page = fetch(running.port(), "GET", "/", "", "Accept: text/html\r\n");
  EXPECT_NE(page.body.find("./dev build"), std::string::npos);
  EXPECT_NE(page.headers.at("content-security-policy").find("default-src 'none'"),
            std::string::npos);
  EXPECT_EQ(fetch(running.port(), "GET", "/").body, "Strata is running");
  EXPECT_EQ(fetch(running.port(), "GET", "/assets/x.js").status, 404);
}

TEST(AppSite, WhatIsFramedHasNoOriginAndReachesNothing) {
  const std::string file = R"(","type":"text/html","etag":"\"e\"","keeps":false,"size":0})";
  const std::string list =
      R"([{"path":"/frame/a.html)" + file + R"(,{"path":"/frame/scripts.html)" + file + "]";
  const Site site(fmt::format("STRATA-SITE-1 {}\n{}", list.size(), list));
  Services services;
  services.site = &site;
  testing::Running running(make_scripted_backend(default_script()), services);
  for (const std::string path : {"/frame/a.html", "/frame/scripts.html"}) {
    const Reply frame =
        fetch(running.port(), "GET", path, "", "Accept-Encoding: gzip\r\nIf-None-Match: \"e\"\r\n");
    EXPECT_EQ(frame.status, 304) << frame.body;
    const std::string& policy = frame.headers.at("content-security-policy");
    EXPECT_TRUE(policy.starts_with("sandbox allow-scripts; default-src 'none';")) << policy;
    EXPECT_EQ(policy.find("allow-same-origin"), std::string::npos);
    // Scripts of its own only where nothing of this server is one.
    EXPECT_NE(policy.find("script-src 'self'") == std::string::npos,
              policy.find("script-src 'unsafe-inline'") == std::string::npos);
    EXPECT_EQ(policy.find("http"), std::string::npos);
    EXPECT_EQ(frame.headers.at("connection-allowlist"),
              path == "/frame/a.html" ? "(response-origin)" : "()");
    EXPECT_EQ(frame.headers.at("x-dns-prefetch-control"), "off");
    EXPECT_FALSE(frame.headers.contains("cross-origin-opener-policy"));
  }
  const Reply heeded =
      fetch(running.port(), "GET", "/frame/a.html", "",
            "Accept-Encoding: gzip\r\nIf-None-Match: \"e\"\r\nSec-Fetch-Site: none\r\n");
  EXPECT_EQ(heeded.headers.at("cross-origin-opener-policy"), "same-origin");
}

TEST(AppSite, ABundleThatIsNotWholeIsRefused) {
  for (const std::string bundle :
       {"x", "STRATA-SITE-1 ", "STRATA-SITE-1 9\n[]",
        "STRATA-SITE-1 "
        "68\n[{\"path\":\"/\",\"type\":\"t\",\"etag\":\"e\",\"keeps\":true,\"size\":99}]"}) {
    EXPECT_ANY_THROW(Site{bundle}) << bundle;
  }
}

}  // namespace
}  // namespace strata::api::app
