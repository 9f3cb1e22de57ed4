// Which model is meant by a request that names none, over the interfaces and a store of tiny
// models.
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "api/testing/tiny_backend.h"

namespace strata::api {
namespace {

using testing::fetch;
using ::testing::HasSubstr;
using testing::Reply;
using testing::Running;
using testing::TinyStore;

std::string bytes_of(const models::GgufBuilder& builder) {
  const auto bytes = builder.build();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class PickModel : public ::testing::Test {
 protected:
  void start() { running_ = std::make_unique<Running>(testing::tiny_backend(store_)); }
  void add_base(const std::string& name) { store_.add(name, bytes_of(models::tiny_llama())); }
  // As a store is in when its disk lost a file.
  void add_unreadable(const std::string& name) {
    const auto manifest = store_.add(name, TinyStore::model_bytes(96));
    std::filesystem::remove(store_.store().model_path(manifest));
  }
  Reply post(const std::string& path, const std::string& body) {
    return fetch(running_->port(), "POST", path, body, "anthropic-version: 2023-06-01\r\n");
  }
  json::value ask(const std::string& path, const std::string& body) {
    const Reply reply = post(path, body);
    EXPECT_EQ(reply.status, 200) << path << " " << body << " " << reply.body;
    return parse_json(reply.body);
  }
  void expect_refused(const std::string& path, const std::string& body, const std::string& says) {
    const Reply reply = post(path, body);
    EXPECT_EQ(reply.status, 400) << path << " " << reply.body;
    EXPECT_THAT(reply.body, HasSubstr(says)) << path;
  }

  TinyStore store_;
  std::unique_ptr<Running> running_;
};

constexpr const char* kChat = R"({"messages":[{"role":"user","content":"ab"}],"max_tokens":1})";
constexpr const char* kPrompt = R"({"prompt":"ab","max_tokens":1})";
constexpr const char* kInput = R"({"input":"ab"})";

TEST_F(PickModel, AConversationIsOneOfAModelThatChats) {
  store_.add("chat");
  add_base("base");
  start();
  ask("/v1/completions", R"({"model":"base","prompt":"ab","max_tokens":1})");  // in memory alone
  for (const char* path : {"/v1/chat/completions", "/v1/messages", "/apply-template",
                           "/v1/chat/completions/input_tokens", "/v1/messages/count_tokens"}) {
    const bool counts = std::string_view(path).ends_with("tokens");
    const std::string body = R"({"messages":[{"role":"user","content":"ab"}])";
    ask(path, body + (counts ? "}" : R"(,"max_tokens":1})"));
  }
  EXPECT_EQ(ask("/v1/chat/completions", kChat).at("model"), "chat:latest");
  EXPECT_EQ(ask("/v1/responses", R"({"input":"ab","store":false})").at("model"), "chat:latest");
  ask("/tokenize", R"({"messages":[{"role":"user","content":"ab"}]})");
}

TEST_F(PickModel, WhereNoneChatsTheOneThatWritesTextSaysSo) {
  add_base("base");
  add_base("other");
  start();
  expect_refused("/v1/chat/completions", kChat, "each of 2 models writes text");
  ask("/v1/completions", R"({"model":"base","prompt":"ab","max_tokens":1})");
  expect_refused("/v1/chat/completions", kChat, "base:latest has no chat template");
}

TEST_F(PickModel, OneThatCannotBeReadIsMeantOnlyWhereNoOtherIs) {
  add_unreadable("broken");
  start();
  for (const auto& [path, body] :
       {std::pair{"/v1/embeddings", kInput}, {"/v1/chat/completions", kChat}}) {
    EXPECT_THAT(post(path, body).body, HasSubstr("strata pull broken:latest")) << path;
  }
  store_.add("chat");
  EXPECT_EQ(ask("/v1/chat/completions", kChat).at("model"), "chat:latest");
  EXPECT_EQ(ask("/v1/completions", kPrompt).at("model"), "chat:latest");
  ask("/tokenize", R"({"prompt":"ab"})");
}

TEST_F(PickModel, SeveralThatCannotBeReadAreNamed) {
  add_unreadable("broken");
  add_unreadable("spoilt");
  start();
  expect_refused("/v1/completions", kPrompt, "each of 2 models cannot be read");
}

TEST_F(PickModel, WhereNothingIsHereTheMessageSaysWhatWasAskedFor) {
  start();
  expect_refused("/v1/embeddings", kInput, "no model here makes vectors");
  EXPECT_THAT(post("/v1/embeddings", kInput).body, HasSubstr("docs/models.md"));
  expect_refused("/v1/rerank", R"({"query":"a","documents":["b"]})", "no model here scores texts");
  expect_refused("/v1/completions", kPrompt, "no model here writes text");
  expect_refused("/v1/chat/completions", kChat, "no model here chats");
  EXPECT_THAT(post("/v1/chat/completions", kChat).body, HasSubstr("strata pull smollm2:135m"));
}

}  // namespace
}  // namespace strata::api
