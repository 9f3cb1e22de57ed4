// Files and batches over a real socket, with the scripted backend behind them.
#include <chrono>
#include <thread>

#include <gtest/gtest.h>

#include "api/access/keys.h"
#include "api/dialect/openai/openai.h"
#include "api/files/batch_runner.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "api/testing/recording_backend.h"
#include "core/testing/temp_folder.h"

namespace strata::api::openai {
namespace {

using api::testing::fetch;
using api::testing::kNowMs;
using api::testing::RecordingBackend;
using api::testing::Reply;
using api::testing::Running;

constexpr std::string_view kForm = "Content-Type: multipart/form-data; boundary=XX\r\n";

std::string form(std::string_view content, std::string_view purpose = "batch",
                 std::string_view more = {}) {
  return fmt::format(
      "--XX\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n{}\r\n{}"
      "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"in.jsonl\"\r\n\r\n{}\r\n"
      "--XX--\r\n",
      purpose, more, content);
}

std::string field_part(std::string_view name, std::string_view value) {
  return fmt::format("--XX\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{}\r\n", name,
                     value);
}

std::string chat_line(std::string_view id, std::string_view content, std::string_view more = {}) {
  return fmt::format(R"({{"custom_id": "{}", "method": "POST", "url": "/v1/chat/completions", )"
                     R"("body": {{"model": "m", "messages": [{{"role": "user", )"
                     R"("content": "{}"}}]{}}}}})",
                     id, content, more) +
         "\n";
}

// One server's life over a store; the next one of the same folder goes on where it stopped.
struct Life {
  Life(const std::filesystem::path& folder, ScriptedOptions script, ServerOptions options = {},
       KeyChecker* keys = nullptr)
      : files(folder / "strata.db", folder / "files"),
        batches(folder / "strata.db", files, [this] { return now_ms.load(); }),
        recording(new RecordingBackend(std::move(script))),
        running(std::unique_ptr<Backend>(recording), services(), std::move(options), keys) {}

  Services services() {
    Services all;
    all.files = &files;
    all.batches = &batches;
    return all;
  }

  std::atomic<int64_t> now_ms = kNowMs;
  FileStore files;
  BatchRunner batches;
  RecordingBackend* recording;  // the server's
  Running running;
};

class FilesAndBatches : public ::testing::Test {
 protected:
  static ScriptedOptions script() {
    return parse_script(R"({"models": [{"name": "m", "rules": [
      {"contains": "fail", "fail_after": 0, "fail_code": "internal"}]},
      {"name": "slow", "tokens_per_second": 0.001}]})");
  }

  json::value call(const Life& life, std::string_view method, const std::string& path,
                   const std::string& body = {}, int status = 200) const {
    const bool upload = path == "/v1/files" && method == "POST";
    const Reply reply =
        fetch(life.running.port(), method, path, body, upload ? kForm : std::string_view());
    EXPECT_EQ(reply.status, status) << method << " " << path << reply.body;
    return parse_json(reply.body);
  }

  std::string upload(const Life& life, const std::string& content) const {
    return std::string(call(life, "POST", "/v1/files", form(content)).at("id").as_string());
  }

  std::string begin(const Life& life, const std::string& file) const {
    const json::object body{{"input_file_id", file},
                            {"endpoint", "/v1/chat/completions"},
                            {"completion_window", "24h"},
                            {"metadata", json::object{{"who", "eve"}}}};
    return std::string(call(life, "POST", "/v1/batches", to_json(body)).at("id").as_string());
  }

  // Once its status is none of those of a batch at work.
  json::value ended(const Life& life, const std::string& batch) const {
    while (true) {
      json::value seen = call(life, "GET", "/v1/batches/" + batch);
      const std::string status(seen.at("status").as_string());
      if (status != "validating" && status != "in_progress" && status != "finalizing" &&
          status != "cancelling") {
        return seen;
      }
      std::this_thread::yield();
    }
  }

  std::vector<json::value> lines(const Life& life, const json::value& file) const {
    std::vector<json::value> all;
    const std::string path =
        fmt::format("/v1/files/{}/content", std::string_view(file.as_string()));
    const std::string text = fetch(life.running.port(), "GET", path).body;
    for (size_t at = 0; at < text.size();) {
      const size_t end = text.find('\n', at);
      all.push_back(parse_json(std::string_view(text).substr(at, end - at)));
      at = end + 1;
    }
    return all;
  }

  strata::testing::TempFolder folder_;
};

TEST_F(FilesAndBatches, AFileIsUploadedListedReadAndDeleted) {
  const Life life(folder_.path(), script());
  const auto file = call(life, "POST", "/v1/files", form("one\n"));
  EXPECT_EQ(file.at("filename"), "in.jsonl");
  EXPECT_EQ(file.at("bytes"), 4);
  EXPECT_EQ(file.at("purpose"), "batch");
  EXPECT_EQ(file.at("created_at"), kNowMs / 1000);
  const std::string path = "/v1/files/" + std::string(file.at("id").as_string());
  EXPECT_EQ(call(life, "GET", path), file);
  EXPECT_EQ(call(life, "GET", "/v1/files?purpose=batch").at("data").at(0), file);
  EXPECT_TRUE(call(life, "GET", "/v1/files?purpose=vision").at("data").as_array().empty());
  EXPECT_EQ(fetch(life.running.port(), "GET", path + "/content").body, "one\n");
  EXPECT_EQ(call(life, "DELETE", path).at("deleted"), true);
  call(life, "GET", path, {}, 404);
}

TEST_F(FilesAndBatches, ListsHavePages) {
  const Life life(folder_.path(), script());
  for (int i = 0; i < 3; ++i) upload(life, std::to_string(i));
  const auto first = call(life, "GET", "/v1/files?limit=2&order=asc");
  EXPECT_EQ(first.at("has_more"), true);
  EXPECT_EQ(first.at("data").as_array().size(), 2u);
  const std::string last(first.at("last_id").as_string());
  const auto second = call(life, "GET", "/v1/files?limit=2&order=asc&after=" + last);
  EXPECT_EQ(second.at("has_more"), false);
  EXPECT_EQ(second.at("data").as_array().size(), 1u);
  for (const char* wrong : {"limit=0", "limit=x", "order=up"}) {
    call(life, "GET", std::string("/v1/files?") + wrong, {}, 400);
  }
}

TEST_F(FilesAndBatches, UploadsThatSayTooLittleOrTooMuchAreRefusedByName) {
  const Life life(folder_.path(), script());
  const std::string file =
      "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx\r\n";
  for (const auto& [body, param] : std::vector<std::pair<std::string, std::string>>{
           {field_part("purpose", "batch") + "--XX--", "file"},
           {field_part("file", "no name") + "--XX--", "file"},
           {file + "--XX--", "purpose"},
           {form("x", "fun"), "purpose"},
           {form("x", "batch", field_part("colour", "red")), "colour"},
           {form("x", "batch", field_part("expires_after[anchor]", "created_at")),
            "expires_after[seconds]"},
           {form("x", "batch",
                 field_part("expires_after[anchor]", "created_at") +
                     field_part("expires_after[seconds]", "5")),
            "expires_after[seconds]"}}) {
    EXPECT_EQ(call(life, "POST", "/v1/files", body, 400).at("error").at("param"),
              json::string(param));
  }
}

TEST_F(FilesAndBatches, ABatchAnswersEveryLineAndPutsFailuresApart) {
  Life life(folder_.path(), script());
  const std::string batch =
      begin(life, upload(life, chat_line("a", "one") + chat_line("b", "fail") + "\n" +
                                   chat_line("c", "three") +
                                   chat_line("d", "four", R"(, "temperature": "hot")")));
  const auto done = ended(life, batch);
  EXPECT_EQ(done.at("status"), "completed") << to_json(done);
  EXPECT_EQ(done.at("request_counts"), parse_json(R"({"total": 4, "completed": 2, "failed": 2})"));
  EXPECT_EQ(done.at("metadata").at("who"), "eve");
  const auto answered = lines(life, done.at("output_file_id"));
  ASSERT_EQ(answered.size(), 2u);
  EXPECT_EQ(answered[0].at("custom_id"), "a");
  const auto& response = answered[1].at("response");
  EXPECT_EQ(response.at("status_code"), 200);
  EXPECT_EQ(response.at("body").at("choices").at(0).at("message").at("content"), "three");
  const auto failed = lines(life, done.at("error_file_id"));
  ASSERT_EQ(failed.size(), 2u);
  EXPECT_EQ(failed[0].at("response").at("status_code"), 500);
  EXPECT_EQ(failed[1].at("response").at("body").at("error").at("param"), "temperature");
  EXPECT_NE(life.recording->take().find("priority=100;"), std::string::npos);
}

TEST_F(FilesAndBatches, ABrokenFileFailsBeforeTheFirstRequest) {
  Life life(folder_.path(), script());
  const std::string batch = begin(
      life, upload(life, chat_line("a", "x") + "{broken\n" + chat_line("a", "x") +
                             chat_line("b", "x", R"(, "stream": true)") +
                             R"({"custom_id": "c", "method": "GET", "url": "/v1/x", "body": {}})"));
  const auto done = ended(life, batch);
  EXPECT_EQ(done.at("status"), "failed");
  const auto& errors = done.at("errors").at("data").as_array();
  ASSERT_EQ(errors.size(), 4u);
  EXPECT_EQ(errors[0].at("line"), 2);
  EXPECT_EQ(errors[1].at("code"), "duplicate_custom_id");
  EXPECT_EQ(errors[2].at("param"), "body.stream");
  EXPECT_EQ(errors[3].at("param"), "method");
  EXPECT_EQ(life.recording->take(), "") << "nothing was asked";
}

// What was answered before the process ended is not asked again.
TEST_F(FilesAndBatches, ABatchGoesOnInTheNextProcess) {
  std::string batch;
  {
    Life first(folder_.path(), script());
    std::string input;
    for (int i = 0; i < 8; ++i) {
      std::string line = chat_line("id" + std::to_string(i), "text " + std::to_string(i));
      if (i >= 3) line.replace(line.find("\"m\""), 3, "\"slow\"");
      input += line;
    }
    batch = begin(first, upload(first, input));
    while (call(first, "GET", "/v1/batches/" + batch).at("request_counts").at("completed") != 3) {
      std::this_thread::yield();
    }
    EXPECT_NE(first.recording->take().find("text 0"), std::string::npos);
  }
  Life second(folder_.path(), parse_script(R"({"models": [{"name": "m"}, {"name": "slow"}]})"));
  const auto done = ended(second, batch);
  EXPECT_EQ(done.at("status"), "completed") << to_json(done);
  EXPECT_EQ(done.at("request_counts").at("completed"), 8);
  const auto answered = lines(second, done.at("output_file_id"));
  ASSERT_EQ(answered.size(), 8u);
  for (size_t i = 0; i < 8; ++i)
    EXPECT_EQ(answered[i].at("custom_id").as_string().back(), '0' + static_cast<char>(i));
  const std::string asked = second.recording->take();
  EXPECT_EQ(asked.find("text 0"), std::string::npos);
  EXPECT_NE(asked.find("text 7"), std::string::npos);
}

TEST_F(FilesAndBatches, ACancelledBatchKeepsWhatWasAnswered) {
  Life life(folder_.path(), script());
  std::string slow = chat_line("b", "x y z");
  slow.replace(slow.find("\"m\""), 3, "\"slow\"");
  const std::string batch = begin(life, upload(life, chat_line("a", "one") + slow));
  while (call(life, "GET", "/v1/batches/" + batch).at("request_counts").at("completed") != 1) {
    std::this_thread::yield();
  }
  call(life, "POST", "/v1/batches/" + batch + "/cancel", "{}");
  const auto done = ended(life, batch);
  EXPECT_EQ(done.at("status"), "cancelled");
  EXPECT_EQ(lines(life, done.at("output_file_id")).size(), 1u);
  call(life, "POST", "/v1/batches/" + batch + "/cancel", "{}", 400);
}

TEST_F(FilesAndBatches, ABatchThatTakesTooLongExpires) {
  Life life(folder_.path(), script());
  std::string slow = chat_line("b", "x y z");
  slow.replace(slow.find("\"m\""), 3, "\"slow\"");
  const std::string batch = begin(life, upload(life, chat_line("a", "one") + slow));
  while (call(life, "GET", "/v1/batches/" + batch).at("request_counts").at("completed") != 1) {
    std::this_thread::yield();
  }
  life.now_ms += kBatchWindowS * 1000;
  const auto done = ended(life, batch);
  EXPECT_EQ(done.at("status"), "expired");
  EXPECT_EQ(lines(life, done.at("error_file_id")).at(0).at("error").at("code"), "batch_expired");
}

TEST_F(FilesAndBatches, WhatAKeyMadeIsThatKeysOnly) {
  KeyStore keys(folder_.path() / "keys.db");
  ServerOptions options;
  options.require_key = true;
  const Life life(folder_.path(), script(), options, &keys);
  const auto header = [&](const char* name) {
    const auto key = keys.create(name, {Scope::inference}, std::nullopt, kNowMs / 1000);
    return "x-api-key: " + key.secret + "\r\n";
  };
  const std::string eve = header("eve"), bob = header("bob");
  const auto file = parse_json(fetch(life.running.port(), "POST", "/v1/files",
                                     form(chat_line("a", "one")), eve + std::string(kForm))
                                   .body);
  const std::string id(file.at("id").as_string());
  EXPECT_EQ(fetch(life.running.port(), "GET", "/v1/files/" + id, {}, eve).status, 200);
  for (const auto& [method, path] : {std::pair{"GET", "/v1/files/" + id},
                                     {"GET", "/v1/files/" + id + "/content"},
                                     {"DELETE", "/v1/files/" + id}}) {
    EXPECT_EQ(fetch(life.running.port(), method, path, {}, bob).status, 404) << path;
  }
  const std::string body = to_json(json::object{
      {"input_file_id", id}, {"endpoint", "/v1/chat/completions"}, {"completion_window", "24h"}});
  EXPECT_EQ(fetch(life.running.port(), "POST", "/v1/batches", body, bob).status, 404);
  const Reply made = fetch(life.running.port(), "POST", "/v1/batches", body, eve);
  EXPECT_EQ(made.status, 200) << made.body;
  const std::string batch(parse_json(made.body).at("id").as_string());
  EXPECT_EQ(fetch(life.running.port(), "GET", "/v1/batches/" + batch, {}, bob).status, 404);
}

TEST_F(FilesAndBatches, OfTwoServersOverOneStoreOneRunsBatches) {
  Life first(folder_.path(), script());
  const Life second(folder_.path(), script());
  const std::string file = upload(second, chat_line("a", "one"));
  const json::object body{
      {"input_file_id", file}, {"endpoint", "/v1/chat/completions"}, {"completion_window", "24h"}};
  call(second, "POST", "/v1/batches", to_json(body), 400);
  EXPECT_EQ(ended(first, begin(first, file)).at("status"), "completed");
}

TEST_F(FilesAndBatches, ModerationIsNotBuiltAndSaysSo) {
  const Life life(folder_.path(), script());
  const auto error = call(life, "POST", "/v1/moderations", R"({"input": "x"})", 501).at("error");
  EXPECT_NE(std::string(error.at("message").as_string()).find("not built"), std::string::npos);
}

}  // namespace
}  // namespace strata::api::openai
