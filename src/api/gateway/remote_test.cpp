#include "api/gateway/remote.h"

#include <future>

#include <gtest/gtest.h>

#include "api/testing/fixture.h"
#include "core/testing/http_server.h"

namespace strata::api {
namespace {

using inference::Event;
using inference::FinishReason;
using OutputKind = inference::OutputRule::Kind;

std::string host_of(uint16_t port) {
  return fmt::format("127.0.0.1:{}", port);
}

ChatRequest asking(const std::string& model, const std::string& text) {
  ChatRequest request;
  request.model = model;
  request.conversation.messages.push_back({.role = "user", .content = text});
  return request;
}

struct Outcome {
  std::string text;
  std::vector<std::string> notices;  // those that came before the text
  Event end;
};

Outcome run(Backend& backend, ChatRequest request) {
  Outcome outcome;
  std::promise<void> over;
  const auto answer = backend.start(std::move(request), [&](ChatEvent&& event) {
    if (!event.notice.empty() && outcome.text.empty()) outcome.notices.push_back(event.notice);
    outcome.text += event.event.text;
    if (event.event.kind != Event::Kind::finished) return;
    outcome.end = std::move(event.event);
    over.set_value();
  });
  over.get_future().get();
  return outcome;
}

TEST(RemoteBackend, FindsOneOfOursAndNobodyElse) {
  const testing::Running ours;
  EXPECT_EQ(find_server(host_of(ours.port())), "http://" + host_of(ours.port()));
  const strata::testing::HttpServer other([](const strata::testing::ServedRequest&) {
    return strata::testing::Reply{.body = R"({"version":"0.12.11"})"};
  });
  EXPECT_FALSE(find_server(host_of(other.port())));
  const strata::testing::HttpServer web([](const strata::testing::ServedRequest&) {
    return strata::testing::Reply{.status = 404, .body = "<html>no</html>"};
  });
  EXPECT_FALSE(find_server(host_of(web.port())));
}

TEST(RemoteBackend, AnswersAsTheServerWould) {
  const testing::Running server;
  const auto backend = make_remote_backend("http://" + host_of(server.port()));
  auto request = asking("babble", "hello");
  request.sampling.seed = 7;
  request.sampling.max_tokens = 5;
  request.sampling.temperature = 0.7f;
  request.sampling.dry_sequence_breakers = std::vector<std::string>{"\n"};
  const Outcome first = run(*backend, request);
  EXPECT_FALSE(first.text.empty());
  EXPECT_EQ(first.end.reason, FinishReason::length);
  EXPECT_EQ(first.end.usage.completion_tokens, 5);
  EXPECT_EQ(run(*backend, request).text, first.text);
  request.raw = true;
  request.model = "echo";
  request.prompt = "a b";
  EXPECT_EQ(run(*backend, request).text, "a b");
}

// A backend whose prompts were worked on before, in part; it says which format was asked for.
class Remembering : public Backend {
 public:
  std::string_view name() const override { return "remembering"; }
  bool serves(std::string_view) const override { return true; }
  std::unique_ptr<Answer> start(ChatRequest request, ChatSink sink) override {
    if (request.context) {
      ChatEvent notice;
      notice.event.kind = Event::Kind::progress;
      notice.notice = "less than that";
      sink(std::move(notice));
    }
    Event format;
    format.text = request.output.kind == OutputKind::json_object   ? "any object"
                  : request.output.kind == OutputKind::json_schema ? to_json(request.output.schema)
                                                                   : "";
    if (!format.text.empty()) sink({.choice = 0, .event = std::move(format)});
    Event end;
    end.kind = Event::Kind::finished;
    end.usage.prompt_tokens = request.model_messages ? 10 : 4;
    end.usage.cached_tokens = 6;
    sink({.choice = 0, .event = std::move(end)});
    return std::make_unique<Answer>();
  }
  std::vector<ModelCard> models() const override { return {}; }
  std::vector<RunningModel> running() const override {
    RunningModel row;
    row.card.name = "smollm2:135m";
    return {row};
  }
  bool unload(std::string_view) override { return false; }
  std::optional<ModelTraits> traits(std::string_view) const override { return std::nullopt; }
  std::string fetch(std::string_view, const models::PullOptions&) override { return {}; }
};

TEST(RemoteBackend, TellsWhatTheServerSaysBesideTheText) {
  Gateway gateway;
  gateway.add(std::make_unique<Remembering>());
  Metrics metrics;
  Services services;
  services.gateway = &gateway;
  services.metrics = &metrics;
  services.now_ms = [] { return testing::kNowMs; };
  Server server(std::move(services), nullptr);
  ServerOptions options;
  options.port = 0;
  server.start(options);
  const auto backend = make_remote_backend("http://" + host_of(server.port()));
  const auto usage = run(*backend, asking("m", "x")).end.usage;
  EXPECT_EQ(usage.prompt_tokens, 10);
  EXPECT_EQ(usage.cached_tokens, 6);
  auto forgetful = asking("m", "x");
  forgetful.model_messages = false;
  EXPECT_EQ(run(*backend, forgetful).end.usage.prompt_tokens, 4) << "the wish is carried";
  EXPECT_TRUE(run(*backend, asking("m", "x")).notices.empty());
  auto formatted = asking("m", "x");
  formatted.output.kind = OutputKind::json_object;
  EXPECT_EQ(run(*backend, formatted).text, "any object");
  formatted.output = {.kind = OutputKind::json_schema, .schema = {{"type", "string"}}};
  EXPECT_EQ(run(*backend, formatted).text, R"({"type":"string"})");
  formatted.output = {.kind = OutputKind::regex, .text = "a+"};
  EXPECT_THROW(run(*backend, formatted), Error);
  auto greedy = asking("m", "x");
  greedy.context = 1 << 20;
  EXPECT_EQ(run(*backend, greedy).notices, std::vector<std::string>{"less than that"});
  EXPECT_TRUE(backend->unload("smollm2")) << "by the catalogue's short name";
  EXPECT_FALSE(backend->unload("gemma3"));
}

TEST(RemoteBackend, PassesOnWhatTheServerRefuses) {
  const testing::Running server;
  const auto backend = make_remote_backend("http://" + host_of(server.port()));
  const Outcome outcome = run(*backend, asking("ecco", "hello"));
  ASSERT_TRUE(outcome.end.error);
  EXPECT_EQ(outcome.end.error->code(), Code::not_found);
  EXPECT_NE(outcome.end.error->message().find("echo"), std::string::npos);
}

TEST(RemoteBackend, AServerThatAsksForAKeySaysWhereToPutIt) {
  const strata::testing::HttpServer server([](const strata::testing::ServedRequest&) {
    return strata::testing::Reply{.status = 401, .body = R"({"error":"a key, please"})"};
  });
  const auto backend = make_remote_backend("http://" + host_of(server.port()));
  const Outcome outcome = run(*backend, asking("echo", "hello"));
  ASSERT_TRUE(outcome.end.error);
  EXPECT_EQ(outcome.end.error->code(), Code::unauthenticated);
  EXPECT_EQ(outcome.end.error->message(), "a key, please");
  EXPECT_NE(outcome.end.error->hint().find("STRATA_API_KEY"), std::string::npos);
}

TEST(RemoteBackend, AnAnswerMayBeLetGoOfInItsOwnSinkWhileTheServerHangs) {
  std::promise<void> hang_up;
  const auto hung_up = hang_up.get_future().share();
  const std::string line = "{\"response\":\"a\"}\n";
  const strata::testing::HttpServer server([&](const strata::testing::ServedRequest&) {
    return strata::testing::Reply{.body = line + line,
                                  .chunked = true,
                                  .piece_bytes = line.size(),
                                  .after_piece = [&](uint64_t) { hung_up.wait(); }};
  });
  auto backend = make_remote_backend("http://" + host_of(server.port()));
  std::unique_ptr<Answer> answer;
  std::promise<void> have_answer;
  std::promise<FinishReason> over;
  answer = backend->start(asking("m", "x"),
                          [&, ready = have_answer.get_future().share()](ChatEvent&& event) {
                            ready.wait();
                            answer.reset();
                            if (event.event.kind != Event::Kind::finished) return;
                            over.set_value(event.event.reason);
                          });
  have_answer.set_value();
  EXPECT_EQ(over.get_future().get(), FinishReason::cancelled);
  answer = backend->start(asking("m", "x"), [](ChatEvent&&) {});
  backend.reset();  // ends while its other answer still waits for the server
  hang_up.set_value();
}

TEST(RemoteBackend, LosesNothingOnTheWay) {
  const testing::Running server;
  const auto backend = make_remote_backend("http://" + host_of(server.port()));
  const auto refused = [&](const ChatRequest& request) {
    EXPECT_THROW(backend->start(request, [](ChatEvent&&) {}), Error);
  };
  auto request = asking("echo", "x");
  request.n = 2;
  refused(request);
  request = asking("echo", "x");
  request.n_logprobs = 0;
  refused(request);
  request = asking("echo", "x");
  request.sampling.logit_bias[1] = 2.0f;
  refused(request);
}

TEST(RemoteBackend, KnowsAModelThatNoFileStandsBehind) {
  const testing::Running server;
  const auto backend = make_remote_backend("http://" + host_of(server.port()));
  const auto traits = backend->traits("echo");
  ASSERT_TRUE(traits);
  EXPECT_EQ(traits->name, "echo");
  EXPECT_TRUE(traits->has_template);
  EXPECT_EQ(traits->context, 4096);
  EXPECT_FALSE(backend->traits("ecco"));
}

TEST(RemoteBackend, CarriesEverySeed) {
  const testing::Running server;
  const auto backend = make_remote_backend("http://" + host_of(server.port()));
  const auto text_of = [&](uint64_t seed) {
    auto request = asking("babble", "hello");
    request.sampling.seed = seed;
    const Outcome outcome = run(*backend, request);
    EXPECT_FALSE(outcome.end.error) << outcome.end.error->message();
    return outcome.text;
  };
  EXPECT_EQ(text_of(INT64_MAX), text_of(INT64_MAX));
  EXPECT_NE(text_of(kFreshSeed), text_of(kFreshSeed));
}

TEST(RemoteBackend, TellsWhatRunsThere) {
  const testing::Running server;
  const auto backend = make_remote_backend("http://" + host_of(server.port()));
  const auto running = backend->running();
  ASSERT_EQ(running.size(), 1u);
  EXPECT_EQ(running[0].context, 4096);
  EXPECT_FALSE(running[0].idle_until_ms);
  EXPECT_FALSE(running[0].loading);
  EXPECT_EQ(backend->models().size(), default_script().models.size());
  EXPECT_TRUE(backend->unload(running[0].card.name));
  EXPECT_FALSE(backend->unload("nobody"));
}

}  // namespace
}  // namespace strata::api
