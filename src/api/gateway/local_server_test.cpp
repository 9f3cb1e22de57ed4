// The local backend behind a server: what a client sees of a model that computes.
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/access/keys.h"
#include "api/gateway/remote.h"
#include "api/library.h"
#include "api/server.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "api/testing/tiny_backend.h"
#include "core/json.h"
#include "core/testing/expect_error.h"
#include "models/testing/formula_model.h"

namespace strata::api {
namespace {

using ::testing::Each;
using ::testing::Eq;
using ::testing::HasSubstr;

class LocalServer : public ::testing::Test {
 protected:
  LocalServer() { store_.add("tiny"); }

  void serve(std::unique_ptr<Backend> local) {
    gateway_.add(std::move(local));
    Services services;
    services.gateway = &gateway_;
    services.library = &library_;
    services.metrics = &metrics_;
    services.now_ms = [] { return testing::kNowMs; };
    server_ = std::make_unique<Server>(std::move(services), nullptr);
    ServerOptions options;
    options.port = 0;
    server_->start(options);
  }

  static std::string completion(int32_t max_tokens) {
    return fmt::format(R"({{"model":"tiny","prompt":[5,6],"stream":true,"ignore_eos":true,)"
                       R"("seed":3,"max_tokens":{}}})",
                       max_tokens);
  }

  testing::TinyStore store_;
  ModelLibrary library_{store_.path()};
  Gateway gateway_;
  Metrics metrics_;
  std::unique_ptr<Server> server_;
};

// What a chat asks before it begins, of a server whose store may be on another machine.
TEST_F(LocalServer, ARemoteBackendKnowsAndFetchesModelsThere) {
  auto local = testing::tiny_backend(store_);
  const ModelTraits own = local->traits("tiny").value();
  serve(std::move(local));
  const auto remote = make_remote_backend(server_->address());
  const ModelTraits traits = remote->traits("tiny").value();
  EXPECT_EQ(traits.name, "tiny:latest");
  EXPECT_GT(traits.context, 0);
  EXPECT_EQ(traits.context, own.context);
  EXPECT_EQ(traits.has_template, own.has_template);
  EXPECT_EQ(traits.max_tokens, own.max_tokens);
  EXPECT_FALSE(remote->traits("tinny"));
  EXPECT_EQ(remote->fetch("tiny", {}), "tiny:latest") << "it is there already";
  const Error error = strata::testing::error_of([&] { remote->fetch("no-such-model", {}); });
  EXPECT_THAT(error.message(), HasSubstr("no-such-model"));
}

TEST_F(LocalServer, AClientThatHangsUpStopsItsWork) {
  store_.add("tiny", testing::TinyStore::model_bytes(1 << 20));
  serve(testing::tiny_backend(store_));
  {
    testing::Client client(server_->port());
    client.send(testing::request_text("POST", "/v1/completions", completion(1 << 19)));
    EXPECT_THAT(client.receive_until("\n\n"), HasSubstr("200 OK"));
  }
  while (gateway_.running().empty() || gateway_.running().at(0).running > 0 ||
         gateway_.running().at(0).stats.executor.kv_bytes_used > 0) {
    std::this_thread::yield();
  }
  EXPECT_LT(gateway_.running().at(0).stats.decode_tokens, 1 << 18);
}

TEST_F(LocalServer, AFullQueueIs503WithRetryAfter) {
  store_.add("tiny", testing::TinyStore::model_bytes(1 << 20));
  serve(testing::tiny_backend(store_, 1, 0));
  testing::Client client(server_->port());
  client.send(testing::request_text("POST", "/v1/completions", completion(1 << 19)));
  EXPECT_THAT(client.receive_until("\n\n"), HasSubstr("200 OK"));
  for (const char* stream : {"true", "false"}) {
    const auto reply = testing::fetch(
        server_->port(), "POST", "/v1/completions",
        fmt::format(R"({{"model":"tiny","prompt":[5],"max_tokens":1,"stream":{}}})", stream));
    EXPECT_EQ(reply.status, 503) << reply.body;
    EXPECT_EQ(reply.headers.at("retry-after"), "1");
    EXPECT_THAT(reply.body, HasSubstr("the limit is 1"));
  }
  client.close();
  // A request of whose first step nothing is published yet still counts as one that waits.
  const auto is_busy = [&] {
    const auto stats = gateway_.running().at(0).stats;
    return stats.running + stats.queued > 0;
  };
  while (is_busy()) std::this_thread::yield();
  const auto reply =
      testing::fetch(server_->port(), "POST", "/v1/completions",
                     R"({"model":"tiny","prompt":[5],"max_tokens":1,"ignore_eos":true})");
  EXPECT_EQ(reply.status, 200) << reply.body;
}

TEST_F(LocalServer, WhatCountsMoreTakesThePlaceOfWhatCountsLess) {
  store_.add("tiny", testing::TinyStore::model_bytes(1 << 20));
  serve(testing::tiny_backend(store_, 1, 4));
  testing::Client client(server_->port());
  client.send(testing::request_text("POST", "/v1/completions", completion(1 << 19)));
  EXPECT_THAT(client.receive_until("\n\n"), HasSubstr("200 OK"));
  const auto reply = testing::fetch(
      server_->port(), "POST", "/v1/completions",
      R"({"model":"tiny","prompt":[5],"max_tokens":1,"ignore_eos":true,"priority":-1})");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_THAT(client.receive_until("\n\n"), HasSubstr("data: ")) << "the other goes on";
}

// Of a question to each interface that has one: its x-strata-notice, "" without.
class NoticeOf : public LocalServer {
 protected:
  std::vector<std::string> notices(const std::string& more = {}) {
    std::vector<std::string> notices;
    for (const auto& [path, question] :
         {std::pair{"/v1/completions", R"("prompt":"t5","max_tokens":1)"},
          {"/v1/chat/completions", R"("messages":[{"role":"user","content":"t5"}],"max_tokens":1)"},
          {"/api/generate", R"("prompt":"t5","options":{"num_predict":1)"},
          {"/api/chat",
           R"("messages":[{"role":"user","content":"t5"}],"options":{"num_predict":1)"},
          {"/api/generate", R"("options":{"num_predict":1)"}}) {  // the last one loads only
      const bool is_ollamas = std::string_view(path).starts_with("/api");
      const std::string body = fmt::format(R"({{"model":"tiny",{}{})", question,
                                           is_ollamas ? more + "}}" : std::string("}"));
      const auto reply = testing::fetch(server_->port(), "POST", path, body);
      EXPECT_EQ(reply.status, 200) << body << reply.body;
      const auto notice = reply.headers.find("x-strata-notice");
      notices.push_back(notice == reply.headers.end() ? "" : notice->second);
    }
    return notices;
  }
};

TEST_F(NoticeOf, AContextOfTheModelfileBeyondTheTrainedOne) {
  auto manifest = store_.add("tiny");
  manifest.overrides.parameters.emplace("num_ctx", "4096");
  store_.store().put_manifest(manifest);
  serve(testing::tiny_backend(store_));
  EXPECT_THAT(notices(), Each(Eq("a context of 4096 was asked for, the model was trained on 128")));
}

TEST_F(NoticeOf, AContextOfTheServerBeyondTheTrainedOne) {
  serve(testing::tiny_backend(store_, 2, 8, 2048));
  EXPECT_THAT(notices(), Each(Eq("a context of 2048 was asked for, the model was trained on 128")));
  const auto own = notices(R"(,"num_ctx":64)");
  EXPECT_THAT(std::vector(own.begin() + 2, own.end()), Each(Eq("")))
      << "they get what they ask for";
}

TEST_F(NoticeOf, NothingWhereEverybodyGetsWhatHeAskedFor) {
  serve(testing::tiny_backend(store_, 2, 8, 128));
  EXPECT_THAT(notices(), Each(Eq("")));
}

// What a completion of nothing begins from.
TEST_F(LocalServer, AnEmptyPromptIsBosAlone) {
  serve(testing::tiny_backend(store_));
  const auto completion = [&](const std::string& prompt) {
    const auto reply = testing::fetch(
        server_->port(), "POST", "/v1/completions",
        fmt::format(R"({{"model":"tiny","prompt":{},"max_tokens":4,"ignore_eos":true,)"
                    R"("temperature":0,"logprobs":0}})",
                    prompt));
    EXPECT_EQ(reply.status, 200) << reply.body;
    return parse_json(reply.body);
  };
  const auto empty = completion(R"("")");
  EXPECT_EQ(empty.at("usage").at("prompt_tokens"), 1);
  EXPECT_EQ(empty.at("usage").at("completion_tokens"), 4);
  EXPECT_EQ(empty.at("choices"), completion("[1]").at("choices")) << "1 is BOS";
  EXPECT_EQ(empty.at("choices"), completion(R"([""])").at("choices"));
  EXPECT_NE(empty.at("choices"), completion("[5]").at("choices"));
}

TEST_F(LocalServer, APromptThatIsToBeComputedAnewFindsNothing) {
  LocalOptions options;
  options.store = store_.path();
  options.n_threads = 1;
  serve(make_local_backend(std::move(options)));
  const auto ask = [&](const std::string& fields) {
    std::string ids = "5";
    for (int i = 0; i < 63; ++i) ids += fmt::format(",{}", 6 + i % 7);
    const testing::Reply reply = testing::fetch(
        server_->port(), "POST", "/completion",
        fmt::format(R"({{"model":"tiny","prompt":[{}],"n_predict":4,"temperature":0{}}})", ids,
                    fields));
    EXPECT_EQ(reply.status, 200) << reply.body;
    return parse_json(reply.body);
  };
  const auto first = ask("");
  EXPECT_EQ(first.at("tokens_cached"), 0);
  EXPECT_GT(ask("").at("tokens_cached").to_number<int64_t>(), 0);
  const auto anew = ask(R"(,"cache_prompt":false)");
  EXPECT_EQ(anew.at("tokens_cached"), 0);
  EXPECT_EQ(anew.at("content"), first.at("content"));
}

TEST_F(LocalServer, AnEmptyPromptWithoutABosIsRefused) {
  auto builder = models::tiny_llama();
  builder.set_bool("tokenizer.ggml.add_bos_token", false);
  const auto bytes = builder.build();
  store_.add("tiny", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  serve(testing::tiny_backend(store_));
  for (int attempt = 0; attempt < 2; ++attempt) {  // while it loads, and when it is there
    const auto reply = testing::fetch(server_->port(), "POST", "/v1/completions",
                                      R"({"model":"tiny","prompt":"","max_tokens":1})");
    EXPECT_EQ(reply.status, 400) << reply.body;
    EXPECT_THAT(reply.body, HasSubstr("the prompt has no tokens"));
  }
}

TEST_F(LocalServer, AnEmptyPromptOfGenerateOnlyLoads) {
  serve(testing::tiny_backend(store_));
  for (const char* more : {"", R"(,"prompt":"")", R"(,"prompt":"","raw":true)"}) {
    const auto reply = testing::fetch(server_->port(), "POST", "/api/generate",
                                      fmt::format(R"({{"model":"tiny","stream":false{}}})", more));
    EXPECT_EQ(reply.status, 200) << reply.body;
    const auto body = parse_json(reply.body);
    EXPECT_EQ(body.at("done_reason"), "load") << more;
    EXPECT_EQ(body.at("response"), "");
  }
  ASSERT_EQ(gateway_.running().size(), 1u);
  EXPECT_EQ(gateway_.running().at(0).stats.decode_tokens, 0);
}

TEST_F(LocalServer, ATemplateOverItsLimitsIsABadRequestThatSaysWhatToDo) {
  serve(testing::tiny_backend(store_));
  for (const auto& [source, limit] :
       {std::pair<std::string, const char*>{"{{ 'x' * 5000000 }}", "the limit is 4194304"},
        {"{% for a in range(90000) %}{{ a }}{{ a }}{{ a }}{% endfor %}", "more than 200000 steps"},
        {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested deeper than"},
        {std::string(70'000, 'x'), "chat template of 70000 bytes, the limit is 65536"}}) {
    const json::object body{{"model", "tiny"}, {"prompt", "t5"}, {"template", source}};
    const auto reply = testing::fetch(server_->port(), "POST", "/api/generate", to_json(body));
    EXPECT_EQ(reply.status, 400) << reply.body;
    EXPECT_THAT(reply.body, HasSubstr(limit));
    EXPECT_THAT(reply.body, HasSubstr("shorten the "));
  }
}

// Of the tiny vocabulary those whose text becomes the same tokens again.
json::object same_again() {
  return {{"5", 100}, {"6", 100}, {"7", 100}, {"8", 100}, {"9", 100}};
}

TEST_F(LocalServer, APredictionOfTheAnswerTakesFewerStepsAndIsCounted) {
  serve(testing::tiny_backend(store_));
  json::object body{{"model", "tiny"}, {"seed", 3}, {"max_tokens", 40}, {"ignore_eos", true}};
  body["messages"] = json::array{json::object{{"role", "user"}, {"content", "t5 t6"}}};
  body["logit_bias"] = same_again();
  const auto ask = [&](int64_t& steps) {
    const int64_t before =
        gateway_.running().empty() ? 0 : gateway_.running().at(0).stats.decode_steps;
    const auto reply =
        testing::fetch(server_->port(), "POST", "/v1/chat/completions", to_json(body));
    EXPECT_EQ(reply.status, 200) << reply.body;
    steps = gateway_.running().at(0).stats.decode_steps - before;
    return parse_json(reply.body);
  };
  const auto details = [](const json::value& answer, const char* key) {
    return answer.at("usage").at("completion_tokens_details").at(key).as_int64();
  };
  int64_t alone = 0, foretold = 0;
  const auto first = ask(alone);
  EXPECT_EQ(details(first, "accepted_prediction_tokens"), 0);
  EXPECT_EQ(details(first, "rejected_prediction_tokens"), 0);
  const auto message = first.at("choices").at(0).at("message");
  body["prediction"] = json::object{{"type", "content"}, {"content", message.at("content")}};
  const auto second = ask(foretold);
  EXPECT_EQ(second.at("choices").at(0).at("message"), message);
  EXPECT_GE(details(second, "accepted_prediction_tokens"), 30);
  EXPECT_LE(details(second, "rejected_prediction_tokens"), 10);
  EXPECT_LT(foretold, alone / 2);
  body["prediction"].as_object()["content"] = std::string(100'000, 'x');
  const auto refused =
      testing::fetch(server_->port(), "POST", "/v1/chat/completions", to_json(body));
  EXPECT_EQ(refused.status, 400) << refused.body;
  EXPECT_THAT(refused.body, HasSubstr("the prediction's 100000 bytes"));
}

TEST_F(LocalServer, APredictionGoesWithSeveralChoicesLogprobsAndPenalties) {
  serve(testing::tiny_backend(store_));
  json::value body = parse_json(R"({"model": "tiny", "seed": 3, "max_tokens": 30, "n": 2,
      "ignore_eos": true, "logprobs": true, "presence_penalty": 0.5, "frequency_penalty": 0.5,
      "messages": [{"role": "user", "content": "t5 t6"}]})");
  body.as_object()["logit_bias"] = same_again();
  const auto ask = [&] {
    const auto reply =
        testing::fetch(server_->port(), "POST", "/v1/chat/completions", to_json(body));
    EXPECT_EQ(reply.status, 200) << reply.body;
    return parse_json(reply.body);
  };
  const auto texts = [](const json::value& answer) {
    std::vector<std::string> all;
    for (const auto& choice : answer.at("choices").as_array()) {
      all.push_back(to_json(choice.at("message")));
      for (const auto& token : choice.at("logprobs").at("content").as_array()) {
        all.push_back(to_json(token.at("token")));
      }
    }
    return all;
  };
  const auto first = ask();
  const auto& message = first.at("choices").at(0).at("message");
  body.as_object()["prediction"] = json::object{
      {"type", "content"},
      {"content", json::array{json::object{{"type", "text"}, {"text", message.at("content")}}}}};
  const auto second = ask();
  EXPECT_EQ(texts(second), texts(first));
  const auto& details = second.at("usage").at("completion_tokens_details");
  EXPECT_GE(details.at("accepted_prediction_tokens").as_int64(), 20);
}

TEST_F(LocalServer, ADamagedModelIsAClearError) {
  store_.add("tiny", testing::TinyStore::model_bytes().substr(0, 3000));
  serve(testing::tiny_backend(store_));
  for (const char* stream : {"true", "false"}) {
    const auto reply = testing::fetch(
        server_->port(), "POST", "/v1/completions",
        fmt::format(R"({{"model":"tiny","prompt":[5],"max_tokens":1,"stream":{}}})", stream));
    EXPECT_EQ(reply.status, 500) << reply.body;
    EXPECT_THAT(parse_json(reply.body).at("error").at("message").as_string(), HasSubstr("bytes"));
    EXPECT_THAT(reply.body, ::testing::Not(HasSubstr(store_.path().string())))
        << "the server's folders are nobody's business";
  }
}

}  // namespace
}  // namespace strata::api
