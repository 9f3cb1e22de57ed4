// Every credential that a server is given, put in wherever one goes in, and looked for in all that
// comes out: answers, jobs, the log and its page, metrics.
#include <gtest/gtest.h>

#include "api/access/keys.h"
#include "api/jobs/job_board.h"
#include "api/library.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "core/log.h"
#include "core/testing/http_server.h"
#include "core/testing/temp_folder.h"

namespace strata::api {
namespace {

using strata::testing::HttpServer;
using strata::testing::ScopedEnvironment;
using strata::testing::ServedRequest;

// None has a form that is known.
constexpr const char* kHubToken = "correct-horse-of-the-hub";
constexpr const char* kProxyPassword = "battery-of-the-proxy";
constexpr const char* kUser = "staple-user";
constexpr const char* kPassword = "staple-password";
constexpr const char* kQuery = "signed-by-somebody";

class Secrets : public ::testing::Test {
 protected:
  Secrets() {
    log_level_ = log_level();
    set_log_level(LogLevel::debug);
    ::testing::internal::CaptureStderr();
    Services services;
    services.library = &library_;
    services.jobs = &jobs_;
    services.keys = &keys_;
    ServerOptions options;
    options.require_key = true;
    running_.emplace(make_scripted_backend(default_script()), services, options, &keys_);
  }
  ~Secrets() override { set_log_level(log_level_); }

  // All that came out.
  std::string stop() {
    running_->server->stop();
    return out_ + ::testing::internal::GetCapturedStderr();
  }

  testing::Reply call(std::string_view method, const std::string& path, const json::value& body,
                      const std::string& more_headers = {}) {
    const testing::Reply reply =
        testing::fetch(running_->port(), method, path, body.is_null() ? "" : to_json(body),
                       "x-api-key: " + key_ + "\r\n" + more_headers);
    out_ += reply.body + "\n";
    return reply;
  }

  void wait_for_jobs() {
    const auto running = [&] {
      const auto list = parse_json(call("GET", "/api/v1/jobs", nullptr).body).at("data").as_array();
      return std::ranges::any_of(list,
                                 [](const auto& job) { return job.at("state") == "running"; });
    };
    while (running()) std::this_thread::yield();
  }

  // Tells what it was told, as no hub should.
  HttpServer hub_{[](const ServedRequest& request) -> strata::testing::Reply {
    const auto token = request.headers.find("authorization");
    const std::string said = token == request.headers.end() ? "" : token->second;
    if (request.target.starts_with("/moved")) {
      return {.status = 302,
              .headers = {{"location",
                           fmt::format("http://{}:{}@host/?sig={}", kUser, kPassword, kQuery)}}};
    }
    return {.status = request.target.starts_with("/api/") ? 500 : 404, .body = said};
  }};
  const ScopedEnvironment endpoint_{"HF_ENDPOINT", hub_.url("").c_str()};
  const ScopedEnvironment token_{"HF_TOKEN", kHubToken};
  const ScopedEnvironment proxy_{"https_proxy",
                                 fmt::format("http://me:{}@127.0.0.1:1", kProxyPassword).c_str()};
  const strata::testing::TempFolder folder_;
  KeyStore keys_{folder_.path() / "strata.db"};
  ModelLibrary library_{folder_.path(),
                        {.offline = false, .allow_private = true, .private_hosts = {}}};
  JobBoard jobs_{library_};
  const std::string key_ =
      keys_.create("k", {Scope::admin}, std::nullopt, testing::kNowMs / 1000).secret;
  std::optional<testing::Running> running_;
  std::string out_;
  LogLevel log_level_{};
};

TEST_F(Secrets, OfNoKindComeOut) {
  const std::string hash(64, 'a');
  const std::vector<std::string> references{
      "hf:own/Tiny-GGUF",
      "hf:own/Tiny-GGUF:" + std::string(kHubToken) + ".gguf",
      fmt::format("https://{}:{}@host/m.gguf", kUser, kPassword),
      fmt::format("https://{}:{}@[host/m.gguf?sig={}", kUser, kPassword, kQuery),
      fmt::format("https://host.invalid/m.gguf?sig={}", kQuery),
      fmt::format("http://host.invalid/m.gguf?sig={}", kQuery),
      fmt::format("{}?sig={}#sha256={}", hub_.url("/gone.gguf"), kQuery, hash),
      fmt::format("{}?sig={}#sha256={}", hub_.url("/moved.gguf"), kQuery, hash),
      fmt::format("{}?sig={}#sha256=no-hash", hub_.url("/m.gguf"), kQuery)};
  for (const std::string& model : references) {
    call("POST", "/api/v1/jobs", json::object{{"kind", "pull"}, {"model", model}});
    for (const bool stream : {false, true}) {
      call("POST", "/api/pull", json::object{{"model", model}, {"stream", stream}});
    }
    call("POST", "/api/show", json::object{{"model", model}});
    call("POST", "/v1/chat/completions",
         json::object{{"model", model},
                      {"messages", json::array{json::object{{"role", "user"}, {"content", "a"}}}}});
  }
  call("GET", "/api/v1/hub/models?search=tiny", nullptr);
  call("GET", "/api/v1/hub/files?repository=own/Tiny-GGUF", nullptr);
  const std::string unknown = "sk-strata-" + std::string(43, 'B');
  call("GET", "/v1/models/" + key_, nullptr);
  call("GET", "/nowhere/" + key_ + "?key=" + key_, nullptr, "x-request-id: " + key_ + "\r\n");
  call("DELETE", "/api/v1/keys/" + key_, nullptr);
  call("GET", "/api/v1/models/" + unknown, nullptr, "authorization: Bearer " + unknown + "\r\n");
  call("POST", "/v1/responses", json::object{{"model", key_}, {"input", "a"}, {"user", key_}});
  wait_for_jobs();
  EXPECT_GE(jobs_.list().size(), 6u) << "some fail at once, these later";
  call("GET", "/api/v1/logs?limit=1000", nullptr);
  call("GET", "/metrics", nullptr);
  const std::string all = stop();
  for (const char* secret : {kHubToken, kProxyPassword, kUser, kPassword, kQuery}) {
    EXPECT_EQ(all.find(secret), std::string::npos)
        << secret << ": " << all.substr(std::max<size_t>(all.find(secret), 300) - 300, 400);
  }
  for (const std::string& secret : {key_.substr(key_.size() - 30), unknown.substr(30)}) {
    EXPECT_EQ(all.find(secret), std::string::npos)
        << all.substr(std::max<size_t>(all.find(secret), 300) - 300, 400);
  }
  EXPECT_NE(all.find("?…"), std::string::npos) << "addresses are still told";
}

}  // namespace
}  // namespace strata::api
