// What a key carries, as its holder meets it.
#include "api/access/key_settings.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/access/keys.h"
#include "api/conversation/history.h"
#include "api/openapi/openapi.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "api/testing/recording_backend.h"
#include "core/json.h"
#include "core/testing/temp_folder.h"

namespace strata::api {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kNow = testing::kNowMs / 1000;

class KeyCarries : public ::testing::Test {
 protected:
  static Services with(KeyStore& keys, History& history) {
    Services services;
    services.keys = &keys;
    services.history = &history;
    return services;
  }
  static ServerOptions asking_for_keys() {
    ServerOptions options;
    options.require_key = true;
    return options;
  }

  std::string key(KeySettings settings) {
    return keys_.create("kiosk", {Scope::inference}, std::nullopt, kNow, std::move(settings))
        .secret;
  }
  testing::Reply post(const std::string& path, const std::string& secret,
                      const std::string& body) const {
    return testing::fetch(running_.port(), "POST", path, body,
                          "anthropic-version: 2023-06-01\r\nx-api-key: " + secret + "\r\n");
  }
  static std::string chat(const std::string& more = {}, const std::string& model = "echo") {
    return R"({"model":")" + model + R"(","messages":[{"role":"user","content":"Hi"}])" + more +
           "}";
  }

  strata::testing::TempFolder folder_;
  KeyStore keys_{folder_.path() / "strata.db"};
  History history_{folder_.path() / "history.db"};
  std::unique_ptr<testing::RecordingBackend> made_ =
      std::make_unique<testing::RecordingBackend>(default_script());
  testing::RecordingBackend& backend_ = *made_;
  testing::Running running_{std::move(made_), with(keys_, history_), asking_for_keys(), &keys_};
};

TEST_F(KeyCarries, ItsSystemTextStandsBeforeEveryConversationAndIsTold) {
  const std::string secret = key({.system = "HOUSE RULES"});
  for (const auto& [path, body] : std::initializer_list<std::pair<const char*, std::string>>{
           {"/v1/chat/completions", chat()},
           {"/v1/messages", chat(R"(,"max_tokens":5)")},
           {"/api/chat", chat()},
           {"/v1beta/models/echo:generateContent",
            R"({"contents":[{"role":"user","parts":[{"text":"Hi"}]}]})"}}) {
    const auto reply = post(path, secret, body);
    EXPECT_EQ(reply.status, 200) << path << ": " << reply.body;
    EXPECT_THAT(reply.headers.at("x-strata-notice"), HasSubstr("system text of the key 'kiosk'"));
    EXPECT_THAT(reply.headers.at("x-strata-notice"), Not(HasSubstr("HOUSE")));
    EXPECT_THAT(backend_.take(), HasSubstr("HOUSE RULES")) << path;
  }
  const std::string plain = key({});
  const auto count = [&](const std::string& whose) {
    return parse_json(post("/v1/messages/count_tokens", whose, chat()).body)
        .at("input_tokens")
        .as_int64();
  };
  EXPECT_GT(count(secret), count(plain)) << "the count is that of the prompt";
}

TEST_F(KeyCarries, APromptThatLeavesNoPlaceForItsSystemTextIsRefused) {
  const std::string secret = key({.system = "HOUSE RULES"});
  for (const auto& [path, body] : std::initializer_list<std::pair<const char*, std::string>>{
           {"/v1/completions", R"({"model":"echo","prompt":"Hi"})"},
           {"/completion", R"({"prompt":"Hi"})"},
           {"/api/generate", R"({"model":"echo","prompt":"Hi","raw":true})"},
           {"/v1/chat/completions", chat(R"(,"chat_template":"{{ messages[0].content }}")")},
           {"/v1/chat/completions", chat(R"(,"chat_template_kwargs":{"messages":[]})")}}) {
    const auto reply = post(path, secret, body);
    EXPECT_EQ(reply.status, 403) << path << ": " << reply.body;
  }
  EXPECT_EQ(backend_.take(), "") << "no model was asked";
}

TEST_F(KeyCarries, ATextIsCutAndReadAgainWhateverItCarries) {
  const std::string secret = key({.system = "HOUSE RULES", .max_tokens = 1});
  for (const auto& [path, body] : std::initializer_list<std::pair<const char*, const char*>>{
           {"/tokenize", R"({"model":"echo","content":"a b c"})"},
           {"/tokenize", R"({"model":"echo","content":"a b c","with_pieces":true})"},
           {"/detokenize", R"({"model":"echo","tokens":[1,2,3]})"}}) {
    const auto reply = post(path, secret, body);
    EXPECT_EQ(reply.status, 200) << path << ": " << reply.body;
    EXPECT_FALSE(reply.headers.contains("x-strata-notice"));
  }
}

TEST_F(KeyCarries, ItsSettingsHoldWhereARequestIsSilent) {
  const std::string secret = key({.parameters = {{"temperature", "0.25"}, {"stop", "x"}}});
  EXPECT_EQ(post("/v1/chat/completions", secret, chat()).status, 200);
  const std::string silent = backend_.take();
  EXPECT_THAT(silent, HasSubstr("temperature=0.25"));
  EXPECT_THAT(silent, HasSubstr("stop"));
  post("/v1/chat/completions", secret, chat(R"(,"temperature":0.5)"));
  EXPECT_THAT(backend_.take(), HasSubstr("temperature=0.5"));
}

TEST_F(KeyCarries, AnAnswerIsNoLongerThanItAllowsAndOnlyItsModelsAnswer) {
  const std::string secret = key({.models = {"echo"}, .max_tokens = 3});
  const std::string text =
      R"({"model":"echo","messages":[{"role":"user","content":"a b c d e f"}]})";
  const auto silent = post("/v1/chat/completions", secret, text);
  EXPECT_EQ(parse_json(silent.body).at("usage").at("completion_tokens"), 3);
  EXPECT_FALSE(silent.headers.contains("x-strata-notice"));
  const auto asking = post("/v1/chat/completions", secret, chat(R"(,"max_tokens":9)"));
  EXPECT_THAT(asking.headers.at("x-strata-notice"),
              HasSubstr("at most 3 tokens, 9 were asked for"));
  const auto endless = post("/v1/chat/completions", secret, chat(R"(,"max_tokens":-1)"));
  EXPECT_THAT(endless.headers.at("x-strata-notice"),
              HasSubstr("at most 3 tokens, no limit was asked for"));
  const auto less = post("/v1/chat/completions", secret, chat(R"(,"max_tokens":2)"));
  EXPECT_FALSE(less.headers.contains("x-strata-notice"));
  const auto other = post("/v1/chat/completions", secret, chat({}, "babble"));
  EXPECT_EQ(other.status, 403);
  EXPECT_THAT(other.body, HasSubstr("it may ask echo"));
  EXPECT_EQ(post("/v1/embeddings", secret, R"({"model":"babble","input":"x"})").status, 403);
  EXPECT_EQ(post("/v1/embeddings", secret, R"({"model":"echo","input":"x"})").status, 200);
}

TEST_F(KeyCarries, ARequestThatNamesNoModelMeansTheOnlyOneThatItMayAsk) {
  const std::string secret = key({.models = {"babble"}});
  const auto reply = post("/completion", secret, R"({"prompt":"Hi","n_predict":2})");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_THAT(backend_.take(), HasSubstr("babble"));
}

TEST(KeySettings, AModelIsAskedByItsOwnNameOrTheCataloguesOther) {
  EXPECT_TRUE(may_ask({.models = {"tiny"}}, "tiny:latest"));
  EXPECT_TRUE(may_ask({.models = {"smollm2"}}, "smollm2:135m"));
  EXPECT_TRUE(may_ask({.models = {"x", "smollm2:135m"}}, "smollm2:135m"));
  EXPECT_FALSE(may_ask({.models = {"Tiny"}}, "tiny:latest")) << "another model, or none yet";
  EXPECT_FALSE(may_ask({.models = {"smollm2:135m"}}, "smollm2:latest"));
}

// Of operations that name the model they ask, in the path or the body, by what their description
// gives as an example.
class ModelsOfAKey : public KeyCarries {
 protected:
  // what(path, body with the model)
  template <typename What>
  void each_that_asks(const std::string& model, What what) const {
    const json::value document = openapi_document(running_.server->routes());
    for (const auto& [pattern, item] : document.at("paths").as_object()) {
      const json::value* post = item.as_object().if_contains("post");
      if (!post || post->at("x-strata-scope") != "inference") continue;
      json::object body = example_of(document, *post);
      const auto path = path_with(std::string(pattern), model);
      if (body.contains("model")) body["model"] = model;
      if ((path || body.contains("model")) && !kOthers.contains(std::string(pattern))) {
        what(path.value_or(std::string(pattern)), to_json(body));
      }
    }
  }

 private:
  static inline const std::set<std::string> kOthers{
      "/api/show",                           // tells of a model, as lists do
      "/api/v1/conversations/{id}/answers",  // the conversation is looked for first
  };

  static json::object example_of(const json::value& document, const json::value& operation) {
    const auto* body = operation.as_object().if_contains("requestBody");
    const auto* content =
        body ? body->at("content").as_object().if_contains("application/json") : nullptr;
    if (!content) return {};
    const json::value* from = content;
    if (const auto* reference = content->at("schema").as_object().if_contains("$ref")) {
      boost::system::error_code error;
      from = document.find_pointer(std::string_view(reference->as_string()).substr(1), error);
    }
    for (const json::value* each : {content, from}) {
      const auto* example = each->as_object().if_contains("example");
      if (example && example->is_object()) return example->as_object();
    }
    return {};
  }

  // nullopt: it has no place for a model.
  static std::optional<std::string> path_with(std::string pattern, const std::string& model) {
    const bool of_google = pattern.find(":") != std::string::npos;
    const bool of_task = pattern.starts_with("/pipeline/") || pattern.starts_with("/models/");
    if (!of_google && !of_task) return std::nullopt;
    const std::pair<std::string, std::string> values[]{
        {"{task}", "text-generation"}, {"{id}", model}, {"{model}", model}};
    for (const auto& [name, value] : values) {
      if (const size_t at = pattern.find(name); at != std::string::npos) {
        pattern.replace(at, name.size(), value);
      }
    }
    return pattern;
  }
};

TEST_F(ModelsOfAKey, AreTheOnlyOnesThatItAsks) {
  const std::string secret = key({.models = {"echo"}});
  size_t n = 0;
  each_that_asks("babble", [&](const std::string& path, const std::string& body) {
    const auto reply = post(path, secret, body);
    EXPECT_EQ(reply.status, 403) << path << " " << body << " " << reply.body;
    EXPECT_NE(reply.body.find("may not ask the model"), std::string::npos) << path << reply.body;
    ++n;
  });
  EXPECT_GT(n, 40u);
  each_that_asks("echo", [&](const std::string& path, const std::string& body) {
    EXPECT_NE(post(path, secret, body).status, 403) << path << " " << body;
  });
  for (const auto& [path, body] : std::initializer_list<std::pair<const char*, const char*>>{
           {"/tokenize", R"({"model":"babble","content":"a"})"},
           {"/tokenize", R"({"model":"babble","content":"a","with_pieces":true})"},
           {"/api/generate", R"({"model":"babble","keep_alive":0})"}}) {
    EXPECT_EQ(post(path, secret, body).status, 403) << path << " " << body;
  }
}

TEST_F(KeyCarries, WhatItCarriesIsKeptAndShown) {
  const KeySettings settings{.system = "S",
                             .parameters = {{"stop", "a"}, {"stop", "b"}, {"top_k", "3"}},
                             .models = {"echo"},
                             .max_tokens = 7};
  const auto made = keys_.create("k", {Scope::admin}, std::nullopt, kNow, settings);
  EXPECT_EQ(as_json(KeyStore(folder_.path() / "strata.db").get(made.info.id).settings),
            as_json(settings));
  const auto reply =
      post("/api/v1/keys", made.secret,
           R"({"name":"by HTTP","system":"T","settings":{"temperature":0.5,"stop":["a","b"]},)"
           R"("models":["echo"],"max_tokens":4})");
  EXPECT_EQ(reply.status, 201) << reply.body;
  const json::value body = parse_json(reply.body);
  EXPECT_EQ(body.at("system"), "T");
  EXPECT_EQ(to_json(body.at("settings")), R"({"stop":["a","b"],"temperature":["0.5"]})");
  for (const char* wrong :
       {R"("settings":{"temperature":"hot"})", R"("settings":{"colour":1})", R"("max_tokens":0)",
        R"("models":[1])", R"("settings":{"stop":{}})", R"("models":[""])"}) {
    EXPECT_EQ(
        post("/api/v1/keys", made.secret, std::string(R"({"name":"x",)") + wrong + "}").status, 400)
        << wrong;
  }
  EXPECT_THROW(key({.system = std::string(kMaxKeySystemBytes + 1, 'x')}), Error);
  EXPECT_THROW(key({.system = "\xff"}), Error);
}

}  // namespace
}  // namespace strata::api
