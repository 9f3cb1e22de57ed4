#include "api/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/access/guard.h"
#include "api/access/keys.h"
#include "api/limits.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "core/json.h"
#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"

namespace strata::api {
namespace {

using testing::Client;
using testing::fetch;
using ::testing::HasSubstr;
using testing::Running;

TEST(ServerWalk, HealthAnswers) {
  Running running;
  const auto reply = fetch(running.port(), "GET", "/health");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, R"({"status":"ok"})");
  EXPECT_EQ(reply.headers.at("server").substr(0, 7), "strata/");
}

TEST(ServerWalk, ChatStreamsPiecesThatJoinToTheWholeAnswer) {
  Running running;
  const std::string body =
      R"({"model":"echo","messages":[{"role":"user","content":"grüß dich 👋 there"}],"stream":)";
  const auto whole = fetch(running.port(), "POST", "/v1/chat/completions", body + "false}");
  ASSERT_EQ(whole.status, 200) << whole.body;
  const auto text = parse_json(whole.body).at("choices").at(0).at("message").at("content");
  EXPECT_EQ(text, "grüß dich 👋 there");

  const auto streamed = fetch(running.port(), "POST", "/v1/chat/completions", body + "true}");
  ASSERT_EQ(streamed.status, 200);
  EXPECT_TRUE(streamed.complete);
  EXPECT_TRUE(streamed.body.ends_with("data: [DONE]\n\n"));
  std::string joined;
  for (size_t at = 0; (at = streamed.body.find("data: {", at)) != std::string::npos; ++at) {
    const size_t end = streamed.body.find("\n\n", at);
    const auto chunk = parse_json(streamed.body.substr(at + 6, end - at - 6));
    if (const auto* piece =
            chunk.at("choices").at(0).at("delta").as_object().if_contains("content")) {
      joined += std::string(piece->as_string());
    }
  }
  EXPECT_EQ(json::string(joined), text.as_string());
}

TEST(ServerWalk, ASeedOfMinusOneIsDrawnAnewAndAnyOtherDecides) {
  Running running;
  const auto answer_of = [&](const std::string& seed) {
    const auto reply = fetch(
        running.port(), "POST", "/v1/chat/completions",
        R"({"model":"babble","messages":[{"role":"user","content":"x"}],"seed":)" + seed + "}");
    EXPECT_EQ(reply.status, 200) << reply.body;
    return parse_json(reply.body).at("choices");
  };
  EXPECT_EQ(answer_of("7"), answer_of("7"));
  EXPECT_EQ(answer_of("9223372036854775807"), answer_of("9223372036854775807"));
  EXPECT_NE(answer_of("-1"), answer_of("-1"));
}

TEST(ServerWalk, APageThatIsAllowedMayReadWhatTheHeadersSay) {
  ServerOptions options;
  options.allowed_origins = {"https://page.example"};
  Running running(default_script(), options);
  const std::string page = "Host: localhost\r\nOrigin: https://page.example\r\n";
  const auto reply = fetch(running.port(), "GET", "/v1/models", {}, page);
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.headers.at("access-control-allow-origin"), "https://page.example");
  EXPECT_EQ(reply.headers.at("access-control-expose-headers"),
            "x-strata-notice, x-strata-ignored, x-request-id, request-id, x-should-retry, "
            "retry-after");
  const auto plain = fetch(running.port(), "GET", "/v1/models");
  EXPECT_FALSE(plain.headers.contains("access-control-expose-headers"));
}

// The makers' clients for browsers send a dozen headers of their own, each one's others.
TEST(ServerWalk, APageThatMayCallMaySendTheHeadersThatItAsksFor) {
  const Running running;
  const auto allowed = [&](const std::string& asked) {
    const auto reply = fetch(running.port(), "OPTIONS", "/v1/chat/completions", {},
                             "Host: localhost\r\nOrigin: http://localhost:3000\r\n"
                             "Access-Control-Request-Method: POST\r\n"
                             "Access-Control-Request-Headers: " +
                                 asked + "\r\n");
    EXPECT_EQ(reply.status, 204) << asked;
    return reply.headers.at("access-control-allow-headers");
  };
  for (const std::string asked :
       {"authorization,content-type,x-stainless-arch,x-stainless-lang,x-stainless-retry-count",
        "anthropic-dangerous-direct-browser-access,anthropic-version,x-api-key,x-stainless-timeout",
        "content-type,x-goog-api-client,x-goog-api-key"}) {
    EXPECT_EQ(allowed(asked), asked);
  }
  // What marks the app's own calls, what is no list of names, and what is endless.
  for (const std::string& asked :
       {std::string("content-type,X-Strata-App"), std::string("a\tb"), std::string(5000, 'a')}) {
    EXPECT_EQ(allowed(asked), "authorization, content-type") << asked;
  }
}

TEST(ServerWalk, PagesOfThisMachineMayCallUnlessTheSettingSaysOtherwise) {
  const Running running;
  for (const std::string origin : {"http://localhost:3000", "https://localhost:8443",
                                   "http://127.0.0.1:8080", "http://[::1]:5173"}) {
    const std::string page = "Host: localhost\r\nOrigin: " + origin + "\r\n";
    const auto reply = fetch(running.port(), "GET", "/v1/models", {}, page);
    EXPECT_EQ(reply.status, 200) << origin << reply.body;
    ASSERT_TRUE(reply.headers.contains("access-control-allow-origin")) << origin;
    EXPECT_EQ(reply.headers.at("access-control-allow-origin"), origin);
    EXPECT_FALSE(reply.headers.contains("access-control-allow-credentials"));
    const auto asked = fetch(running.port(), "OPTIONS", "/v1/chat/completions", {},
                             page + "Access-Control-Request-Method: POST\r\n");
    EXPECT_EQ(asked.status, 204) << origin;
    EXPECT_EQ(asked.headers.at("access-control-allow-origin"), origin);
    // What the app keeps, and who may come in.
    for (const char* path : {"/api/v1/conversations", "/api/v1/keys", "/api/v1/session"}) {
      const auto own = fetch(running.port(), "GET", path, {}, page);
      EXPECT_EQ(own.status, 403) << path;
      EXPECT_FALSE(own.headers.contains("access-control-allow-origin")) << path;
    }
  }
  ServerOptions options;
  options.local_pages = read_origins("https://a.example, Self").local_pages;
  const Running closed(default_script(), options);
  const std::string page = "Host: localhost\r\nOrigin: http://localhost:3000\r\n";
  EXPECT_EQ(fetch(closed.port(), "GET", "/v1/models", {}, page).status, 403);
  ServerOptions reachable;
  reachable.host = "0.0.0.0";
  reachable.allow_unprotected = true;
  const Running open(default_script(), reachable);
  EXPECT_EQ(fetch(open.port(), "GET", "/v1/models", {}, page).status, 403);
}

// A browser sends it to every port.
TEST(ServerWalk, TheAppsCookieSaysNothingForAnotherPageOfThisMachine) {
  const strata::testing::TempFolder folder;
  KeyStore keys(folder.path() / "keys.db");
  const int64_t now_s = testing::kNowMs / 1000;
  const auto key = keys.create("k", {Scope::inference}, std::nullopt, now_s);
  ServerOptions options;
  options.require_key = true;
  Running running(default_script(), options, &keys);
  const std::string cookie = "Host: localhost\r\nx-strata-app: 1\r\nCookie: strata_session=" +
                             keys.open_session(key.secret, now_s) + "\r\n";
  const std::string chat = R"({"model":"echo","messages":[{"role":"user","content":"a"}]})";
  const auto status = [&](const std::string& headers) {
    const auto listed = fetch(running.port(), "GET", "/v1/models", {}, headers);
    const auto asked = fetch(running.port(), "POST", "/v1/chat/completions", chat, headers);
    EXPECT_EQ(listed.status, asked.status) << listed.body << asked.body;
    return asked.status;
  };
  const std::string other = "Origin: http://localhost:3000\r\n";
  EXPECT_EQ(status(cookie + "Origin: http://localhost\r\n"), 200) << "the app itself";
  EXPECT_EQ(status(cookie + other), 401);
  EXPECT_EQ(status("Host: localhost\r\nx-api-key: " + key.secret + "\r\n" + other), 200);
}

TEST(ServerWalk, ASlashBehindARoutesPathChangesNothing) {
  const Running running;
  const std::string chat = R"({"model":"echo","messages":[{"role":"user","content":"a"}]})";
  EXPECT_EQ(fetch(running.port(), "POST", "/v1/chat/completions/", chat).status, 200);
  EXPECT_EQ(fetch(running.port(), "GET", "/v1/models/").status, 200);
  EXPECT_EQ(fetch(running.port(), "GET", "/v1/models/echo/").status, 200);
  EXPECT_EQ(fetch(running.port(), "GET", "/v1/completions/").status, 405);
  EXPECT_EQ(fetch(running.port(), "POST", "/v1/embeddings//", chat).status, 404);
  EXPECT_EQ(fetch(running.port(), "GET", "/v1/nothing/").status, 404);
  EXPECT_EQ(fetch(running.port(), "DELETE", "/api/v1/votes/").status, 404) << "all of them";
}

TEST(ServerWalk, AnUnknownModelHasOpenAisCode) {
  const Running running;
  const std::string messages = R"("messages":[{"role":"user","content":"a"}])";
  for (const auto& [method, path, body] :
       {std::tuple{"POST", "/v1/chat/completions", R"({"model":"nobody",)" + messages + "}"},
        {"POST", "/v1/completions", R"({"model":"nobody","prompt":"a"})"},
        {"POST", "/v1/embeddings", R"({"model":"nobody","input":"a"})"},
        {"POST", "/v1/responses", R"({"model":"nobody","input":"a","store":false})"},
        {"GET", "/v1/models/nobody", ""}}) {
    const auto reply = fetch(running.port(), method, path, body);
    EXPECT_EQ(reply.status, 404) << path << reply.body;
    const json::value error = parse_json(reply.body).at("error");
    EXPECT_EQ(error.at("type"), "invalid_request_error") << path;
    EXPECT_EQ(error.at("code"), "model_not_found") << path;
    EXPECT_EQ(error.at("param"), "model") << path;
  }
}

TEST(ServerWalk, APageThatIsAllowedMayReadWhyItIsRefused) {
  const strata::testing::TempFolder folder;
  KeyStore keys(folder.path() / "keys.db");
  const auto key = keys.create("k", {Scope::inference}, std::nullopt, testing::kNowMs / 1000);
  ServerOptions options;
  options.require_key = true;
  options.allowed_origins = {"https://page.example"};
  Running running(default_script(), options, &keys);
  const std::string page = "Host: localhost\r\nOrigin: https://page.example\r\n";
  const std::string known = "x-api-key: " + key.secret + "\r\n";
  const std::string large(kMaxSmallBodyBytes + 1, 'x');
  for (const auto& [status, method, path, body, headers] :
       {std::tuple{401, "GET", "/v1/models", std::string(), page},
        {403, "POST", "/api/pull", std::string("{}"), page + known},
        {404, "GET", "/v1/nothing", std::string(), page + known},
        {404, "GET", "/v1/models/nobody", std::string(), page + known},
        {405, "GET", "/v1/completions", std::string(), page + known},
        {413, "POST", "/api/show", large, page + known}}) {
    const auto reply = fetch(running.port(), method, path, body, headers);
    EXPECT_EQ(reply.status, status) << path << reply.body;
    ASSERT_TRUE(reply.headers.contains("access-control-allow-origin")) << status << path;
    EXPECT_EQ(reply.headers.at("access-control-allow-origin"), "https://page.example");
  }
  const auto stranger = fetch(running.port(), "GET", "/v1/models", {},
                              known + "Host: localhost\r\nOrigin: https://other.example\r\n");
  EXPECT_EQ(stranger.status, 403);
  EXPECT_FALSE(stranger.headers.contains("access-control-allow-origin"));
}

TEST(ServerWalk, ModelsAreListedWithAndWithoutAVersionInThePath) {
  const Running running;
  const auto listed = fetch(running.port(), "GET", "/models");
  EXPECT_EQ(listed.status, 200);
  EXPECT_EQ(listed.body, fetch(running.port(), "GET", "/v1/models").body);
}

TEST(ServerWalk, APathOrAFieldThatIsNearlyRightIsToldWhichOneIs) {
  const Running running;
  const auto told = [&](const char* path, const char* body) {
    return fetch(running.port(), "POST", path, body).body;
  };
  const char* chat = R"({"model":"echo","messages":[{"role":"user","content":"a"}],"max_token":3})";
  EXPECT_THAT(told("/v1/v1/chat/completions", "{}"), HasSubstr("base URL ends before '/v1'"));
  EXPECT_THAT(told("/v1/chat/completion", "{}"), HasSubstr("did you mean '/v1/chat/completions'"));
  EXPECT_THAT(told("/nothing/near", "{}"), HasSubstr("docs/api.md"));
  EXPECT_THAT(told("/v1/chat/completions", chat), HasSubstr("did you mean 'max_tokens'"));
  const char* elsewhere =
      R"({"model":"echo","messages":[{"role":"user","content":"a"}],"stop_sequences":["b"]})";
  EXPECT_THAT(told("/v1/chat/completions", elsewhere), HasSubstr("here it is 'stop'"));
  EXPECT_THAT(told("/v1/responses", R"({"model":"echo","input":"a","max_tokens":3})"),
              HasSubstr("here it is 'max_output_tokens'"));
}

// A hint names what the request can do about it, and nothing that it has.
TEST(ServerWalk, AFieldIsToldWhatItIsHereWhereThatIsKnown) {
  const Running running;
  const auto hint_of = [&](const char* path, const std::string& body) {
    const auto reply = fetch(running.port(), "POST", path, body);
    EXPECT_EQ(reply.status, 400) << reply.body;
    return reply.body;
  };
  const std::string chat = R"({"model":"echo","messages":[{"role":"user","content":"a"}],)";
  const std::string config = R"({"contents":[{"parts":[{"text":"a"}]}],"generationConfig":)";
  constexpr auto kGemini = "/v1beta/models/echo:generateContent";
  EXPECT_THAT(hint_of("/api/chat", chat + R"("max_tokens":3})"),
              HasSubstr("here it is 'options.num_predict'"));
  EXPECT_THAT(hint_of("/api/chat", chat + R"("temperature":0.1})"),
              HasSubstr("here it is 'options.temperature'"));
  EXPECT_THAT(hint_of("/api/chat", chat + R"("options":{"max_tokens":3}})"),
              HasSubstr("here it is 'num_predict'"));
  EXPECT_THAT(hint_of(kGemini, config + R"({"max_tokens":3}})"),
              HasSubstr("here it is 'maxOutputTokens'"));
  EXPECT_THAT(hint_of(kGemini, config + R"({},"max_tokens":3})"),
              HasSubstr("here it is 'generationConfig.maxOutputTokens'"));
  EXPECT_THAT(hint_of("/generate", R"({"model":"echo","inputs":"a","max_tokens":3})"),
              HasSubstr("here it is 'parameters.max_new_tokens'"));
  EXPECT_THAT(hint_of("/v1/embeddings", R"({"model":"echo","input":"x","prompt":"y"})"),
              HasSubstr("did you mean 'prompt_name'"));
  EXPECT_THAT(hint_of("/v1/responses", R"({"model":"echo","input":"a","response_format":{}})"),
              HasSubstr("here it is 'text'"));
  const char* wish_of_a_message =
      R"({"model":"echo","messages":[{"role":"assistant","content":"a",)"
      R"("reasoning_effort":"low"}]})";
  EXPECT_THAT(hint_of("/v1/chat/completions", wish_of_a_message), Not(HasSubstr("here it is")));
  for (const auto& [path, body] : std::vector<std::pair<const char*, std::string>>{
           {"/v1/chat/completions", R"({"model":"echo","messages":[{"role":"user","content":)"
                                    R"([{"type":"text","text":"hi","format":"x"}]}]})"},
           {"/v1/chat/completions", chat + R"("text":"hello"})"},
           {"/v1/responses", R"({"model":"echo","input":"x","messages":[]})"},
           {"/api/chat", chat + R"("instructions":"x"})"},
           {"/api/chat", chat + R"("options":{"num_predict":1,"n_predict":2}})"},
           {"/api/chat", chat + R"("options":{"num_predict":1},"max_tokens":2})"}}) {
    const std::string told = hint_of(path, body);
    EXPECT_THAT(told, HasSubstr("remove the field")) << path << body;
    EXPECT_THAT(told, Not(HasSubstr("nothing here reads it"))) << path << body;
  }
}

TEST(ServerWalk, AModelHasOneNameInAllMetrics) {
  Running running;
  const auto reply =
      fetch(running.port(), "POST", "/v1/completions", R"({"model":"echo","prompt":"a b"})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const std::string text = fetch(running.port(), "GET", "/metrics").body;
  for (const std::string name :
       {"strata_generated_tokens_total", "strata_prompt_tokens_total", "strata_cached_tokens_total",
        "strata_requests_running", "strata_decode_tokens_total", "strata_guessed_tokens_total",
        "strata_right_guesses_total", "strata_kv_bytes_kept", "tokens_per_step"}) {
    EXPECT_NE(text.find(name + R"({model="echo:latest"})"), std::string::npos) << name << text;
  }
  EXPECT_EQ(text.find(R"(model="echo")"), std::string::npos) << text;
}

// What start() says when it cannot listen.
Error refusal_to_listen(const std::string& host, uint16_t port) {
  Gateway gateway;
  Metrics metrics;
  Services services;
  services.gateway = &gateway;
  services.metrics = &metrics;
  services.now_ms = [] { return testing::kNowMs; };
  Server server(std::move(services), nullptr);
  ServerOptions options;
  options.host = host;
  options.port = port;
  return strata::testing::error_of([&] { server.start(options); });
}

TEST(Listening, APortInUseIsNamedWithAWayOut) {
  Running running;
  const Error error = refusal_to_listen("127.0.0.1", running.port());
  EXPECT_EQ(error.code(), Code::failed_precondition);
  EXPECT_NE(error.message().find(fmt::format("port {} on 127.0.0.1 is in use", running.port())),
            std::string::npos)
      << error.message();
  EXPECT_NE(error.hint().find("--port"), std::string::npos);
  EXPECT_EQ(fetch(running.port(), "GET", "/health").status, 200) << "the first one lives on";
}

TEST(Listening, AnAddressThatIsNotHereOrIsNoneIsNamed) {
  const Error elsewhere = refusal_to_listen("127.0.0.1.example", 0);
  EXPECT_EQ(elsewhere.code(), Code::invalid_argument);
  EXPECT_NE(elsewhere.message().find("127.0.0.1.example"), std::string::npos);
  const Error open = refusal_to_listen("0.0.0.0", 0);
  EXPECT_EQ(open.code(), Code::failed_precondition);
  EXPECT_NE(open.hint().find("--require-key"), std::string::npos);
  EXPECT_EQ(refusal_to_listen("::", 0).code(), Code::failed_precondition);
}

}  // namespace
}  // namespace strata::api
