// What a model computed outlives its unloading and the server, where the settings say so.
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/access/keys.h"
#include "api/gateway/local.h"
#include "api/library.h"
#include "api/server.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "api/testing/tiny_store.h"
#include "core/json.h"
#include "inference/packed_disk.h"
#include "inference/prefix_folder.h"

namespace strata::api {
namespace {

using ::testing::ElementsAre;

constexpr int kPrompt = 90;  // tokens

// A server of the store's models, until it goes.
class DiskServer {
 public:
  DiskServer(const testing::TinyStore& store, KeyStore* keys, int64_t cache_disk_bytes) {
    LocalOptions options;
    options.store = store.path();
    options.n_threads = 1;
    options.cache_disk_bytes = cache_disk_bytes;
    options.cache_packed_bytes = cache_disk_bytes;
    gateway_.add(make_local_backend(std::move(options)));
    Services services;
    services.gateway = &gateway_;
    services.metrics = &metrics_;
    services.now_ms = [] { return testing::kNowMs; };
    server_ = std::make_unique<Server>(std::move(services), keys);
    ServerOptions server;
    server.port = 0;
    server_->start(server);
  }
  ~DiskServer() { server_->stop(); }
  DiskServer(const DiskServer&) = delete;
  DiskServer& operator=(const DiskServer&) = delete;

  struct Answer {
    int64_t cached = 0;
    std::string text;
  };
  Answer ask(const std::string& model = "tiny", const std::string& key = {}) const {
    json::array prompt;
    for (int i = 0; i < kPrompt; ++i) prompt.emplace_back(5 + i * 7 % 20);
    const json::object body{{"model", model},
                            {"prompt", prompt},
                            {"max_tokens", 5},
                            {"temperature", 0},
                            {"ignore_eos", true}};
    const auto reply = testing::fetch(
        server_->port(), "POST", "/v1/completions", to_json(body),
        key.empty() ? std::string() : fmt::format("Authorization: Bearer {}\r\n", key));
    EXPECT_EQ(reply.status, 200) << reply.body;
    const json::value answer = parse_json(reply.body);
    return {answer.at("usage").at("prompt_tokens_details").at("cached_tokens").as_int64(),
            std::string(answer.at("choices").at(0).at("text").as_string())};
  }
  const Gateway& gateway() const { return gateway_; }

 private:
  Gateway gateway_;
  Metrics metrics_;
  std::unique_ptr<Server> server_;
};

class LocalDisk : public ::testing::Test {
 protected:
  LocalDisk() { store_.add("tiny"); }
  std::vector<std::string> kept() const {
    std::vector<std::string> names;
    for (const auto& entry : inference::PrefixFolder(store_.store()).list()) {
      names.push_back(entry.model);
    }
    return names;
  }
  size_t n_packed() const { return inference::PackedFolder(store_.store()).list().size(); }

  testing::TinyStore store_;
  KeyStore keys_{store_.path() / "strata.db"};
};

TEST_F(LocalDisk, TheNextServerGoesOnFromIt) {
  DiskServer::Answer first;
  {
    const DiskServer server(store_, nullptr, 1 << 30);
    first = server.ask();
    EXPECT_EQ(first.cached, 0);
    EXPECT_THAT(kept(), ElementsAre());
  }
  EXPECT_THAT(kept(), ElementsAre("tiny:latest"));
  EXPECT_EQ(n_packed(), 1u);
  const DiskServer server(store_, nullptr, 1 << 30);
  const auto again = server.ask();
  EXPECT_EQ(again.cached, kPrompt - 1);
  EXPECT_EQ(again.text, first.text);
}

TEST_F(LocalDisk, SoDoesAModelThatWasUnloaded) {
  const DiskServer server(store_, nullptr, 1 << 30);
  server.ask();
  EXPECT_TRUE(server.gateway().unload("tiny"));
  while (!server.gateway().running().empty() || kept().empty()) std::this_thread::yield();
  EXPECT_EQ(server.ask().cached, kPrompt - 1);
}

TEST_F(LocalDisk, NothingIsKeptUnlessTheSettingsSaySo) {
  {
    EXPECT_EQ(DiskServer(store_, nullptr, 0).ask().cached, 0);
  }
  EXPECT_FALSE(fs::exists(inference::PrefixFolder(store_.store()).path()));
  EXPECT_FALSE(fs::exists(inference::PackedFolder(store_.store()).path()));
}

TEST_F(LocalDisk, KeysStayApartAndKnowTheirOwn) {
  const auto mine = keys_.create("mine", {Scope::inference}, std::nullopt, 0).secret;
  const auto yours = keys_.create("yours", {Scope::inference}, std::nullopt, 0).secret;
  {
    EXPECT_EQ(DiskServer(store_, &keys_, 1 << 30).ask("tiny", mine).cached, 0);
  }
  {
    EXPECT_EQ(DiskServer(store_, &keys_, 1 << 30).ask("tiny", yours).cached, 0);
  }
  {
    EXPECT_EQ(DiskServer(store_, &keys_, 1 << 30).ask().cached, 0);
  }
  const DiskServer server(store_, &keys_, 1 << 30);
  EXPECT_EQ(server.ask("tiny", mine).cached, kPrompt - 1);
  EXPECT_EQ(server.ask("tiny", yours).cached, kPrompt - 1);
}

TEST_F(LocalDisk, OtherWeightsUnderTheSameNameStartAnew) {
  {
    EXPECT_EQ(DiskServer(store_, nullptr, 1 << 30).ask().cached, 0);
  }
  store_.add("tiny", testing::TinyStore::model_bytes(256));
  EXPECT_EQ(DiskServer(store_, nullptr, 1 << 30).ask().cached, 0);
}

TEST_F(LocalDisk, AModelThatIsDeletedTakesItsFilesWithIt) {
  {
    EXPECT_EQ(DiskServer(store_, nullptr, 1 << 30).ask().cached, 0);
  }
  ModelLibrary(store_.path(), {}).remove("tiny");
  EXPECT_THAT(kept(), ElementsAre());
  EXPECT_EQ(n_packed(), 0u);
}

TEST_F(LocalDisk, NothingIsWrittenForAModelThatWasDeletedWhileLoaded) {
  {
    const DiskServer server(store_, nullptr, 1 << 30);
    server.ask();
    ModelLibrary(store_.path(), {}).remove("tiny");
  }
  EXPECT_THAT(kept(), ElementsAre());
}

}  // namespace
}  // namespace strata::api
