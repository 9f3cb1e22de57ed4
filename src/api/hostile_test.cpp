// Broken requests over a real socket: every one of testdata/hostile/* gets a clear error in the
// right shape, and the server goes on serving as if nothing had happened.
#include <atomic>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "core/json.h"
#include "core/utf8.h"

namespace strata::api {
namespace {

using testing::Client;
using testing::fetch;
using testing::Reply;
using testing::request_text;
using testing::Running;

json::array cases(const std::string& file) {
  std::ifstream in(std::string(STRATA_SOURCE_DIR "/src/api/testdata/hostile/") + file);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  return parse_json(text).as_array();
}

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

std::string repeated(std::string_view text, int64_t times) {
  std::string all;
  for (int64_t i = 0; i < times; ++i) all += text;
  return all;
}

// Pieces: a text, {"hex": bytes}, {"repeat": text, "times": n}, or an array of these.
std::string bytes_of(const json::value& piece) {
  if (piece.is_string()) return std::string(piece.get_string());
  std::string bytes;
  if (const auto* pieces = piece.if_array()) {
    for (const auto& each : *pieces) bytes += bytes_of(each);
  } else if (const auto* hex = piece.get_object().if_contains("hex")) {
    bytes = from_hex(hex->as_string());
  } else {
    bytes = repeated(piece.at("repeat").as_string(), piece.at("times").as_int64());
  }
  return bytes;
}

// {"$repeat": text, "times": n} stands for a long string, {"$items": value, "times": n} for a long
// array.
json::value expanded(const json::value& value) {
  if (const auto* array = value.if_array()) {
    json::array all;
    for (const auto& each : *array) all.push_back(expanded(each));
    return all;
  }
  const auto* object = value.if_object();
  if (!object) return value;
  if (const auto* text = object->if_contains("$repeat")) {
    return json::string(repeated(text->as_string(), object->at("times").as_int64()));
  }
  if (const auto* item = object->if_contains("$items")) {
    json::array all;
    for (int64_t i = 0; i < object->at("times").as_int64(); ++i) all.push_back(*item);
    return all;
  }
  json::object all;
  for (const auto& member : *object) all[member.key()] = expanded(member.value());
  return all;
}

std::string text_or(const json::object& from, std::string_view key, std::string otherwise) {
  const auto* value = from.if_contains(key);
  return value ? std::string(value->as_string()) : otherwise;
}

int status_or(const json::object& from, int otherwise) {
  const auto* value = from.if_contains("status");
  return value ? static_cast<int>(value->as_int64()) : otherwise;
}

size_t open_files() {
  const std::filesystem::directory_iterator list("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(list), end(list)));
}

constexpr std::string_view kChat = "/v1/chat/completions";
constexpr std::string_view kCompletion = "/v1/completions";

class HostileRequests : public ::testing::Test {
 protected:
  HostileRequests() : files_before_(open_files()) { running_.emplace(); }

  ~HostileRequests() override {
    while (working()) std::this_thread::yield();  // for ever, if work were left behind
    running_.reset();
    EXPECT_EQ(open_files(), files_before_) << "a connection was left open";
  }

  uint16_t port() const { return running_->port(); }
  bool working() const {
    const RunningModel model = running_->gateway.running().front();
    return model.running + model.queued > 0;
  }

  void expect_serving() const {
    const auto reply = fetch(port(), "POST", kChat,
                             R"({"model":"echo","messages":[{"role":"user","content":"alive"}]})");
    ASSERT_EQ(reply.status, 200) << reply.body;
    ASSERT_EQ(parse_json(reply.body).at("choices").at(0).at("message").at("content"), "alive");
  }

  static void expect_error(const Reply& reply, const json::object& expected, int status,
                           const std::string& shape) {
    EXPECT_EQ(reply.status, status_or(expected, status)) << reply.body;
    ASSERT_TRUE(reply.complete);
    EXPECT_EQ(reply.headers.at("content-type"), "application/json");
    EXPECT_FALSE(reply.headers.at("x-request-id").empty());
    EXPECT_LT(reply.body.size(), 2000u) << "an error does not send back what was sent";
    EXPECT_TRUE(is_valid_utf8(reply.body));
    const auto body = parse_json(reply.body);
    if (shape == "ollama") {
      const std::string text(body.at("error").as_string());
      EXPECT_NE(text.find(expected.at("says").as_string()), std::string::npos) << text;
      return;
    }
    const auto& error = body.at("error").as_object();
    const std::string message = text_or(error, "message", "");
    EXPECT_NE(message.find(expected.at("says").as_string()), std::string::npos) << message;
    EXPECT_TRUE(error.contains(shape == "openai" ? "param" : "hint")) << reply.body;
    EXPECT_FALSE(text_or(error, "code", "").empty());
    if (const auto* param = expected.if_contains("param")) {
      EXPECT_EQ(error.at("param"), *param);
    }
  }

  // Nothing that came behind the refused request is taken for another one.
  static void expect_stays_or_ends(Client& client, const Reply& reply) {
    if (reply.headers.at("connection") == "close") {
      EXPECT_TRUE(client.closed()) << "something was sent after the error";
      return;
    }
    client.send(request_text("GET", "/health"));
    EXPECT_EQ(client.read_reply().status, 200);
  }

  void send_and_expect(const std::string& bytes, const json::object& expected, int status,
                       const std::string& shape) const {
    SCOPED_TRACE(text_or(expected, "name", "?"));
    Client client(port());
    client.send(bytes);
    const Reply reply = client.read_reply();
    ASSERT_NE(reply.status, 0) << "no answer";
    expect_error(reply, expected, status, shape);
    expect_stays_or_ends(client, reply);
    expect_serving();
  }

  size_t files_before_;
  std::optional<Running> running_;
};

TEST_F(HostileRequests, BytesThatAreNoHttp) {
  for (const auto& each : cases("http.json")) {
    const auto& expected = each.as_object();
    const std::string bytes = bytes_of(expected.at("send"));
    const bool head_read =
        bytes.find(" /v1/") != std::string::npos && status_or(expected, 400) == 413;
    send_and_expect(bytes, expected, 400,
                    text_or(expected, "shape", head_read ? "openai" : "native"));
  }
}

TEST_F(HostileRequests, RoutesHostsOriginsAndKeys) {
  for (const auto& each : cases("routes.json")) {
    const auto& expected = each.as_object();
    std::string headers;
    if (const auto* lines = expected.if_contains("headers")) {
      for (const auto& line : lines->as_array()) headers += bytes_of(line) + "\r\n";
    }
    const auto* body = expected.if_contains("body");
    send_and_expect(request_text(text_or(expected, "method", ""), bytes_of(expected.at("path")),
                                 body ? bytes_of(*body) : "", headers),
                    expected, 404, text_or(expected, "shape", "openai"));
  }
}

TEST_F(HostileRequests, BodiesThatAreNoJsonObject) {
  for (const auto& each : cases("bodies.json")) {
    const std::string body = bytes_of(each.at("body"));
    for (const std::string_view path : {kChat, kCompletion}) {
      send_and_expect(request_text("POST", path, body), each.as_object(), 400, "openai");
    }
    for (const std::string_view path : {"/api/chat", "/api/generate", "/api/show", "/api/pull"}) {
      send_and_expect(request_text("POST", path, body), each.as_object(), 400, "ollama");
    }
  }
}

// The request with the fields of a case's "change" over it, and a conversation or a prompt.
std::string changed_request(const json::value& of_case, bool is_chat, json::object request) {
  request["model"] = "echo";
  if (is_chat) {
    request["messages"] = parse_json(R"([{"role":"user","content":"hello"}])");
  } else {
    request["prompt"] = "hello";
  }
  for (const auto& member : of_case.at("change").as_object()) {
    request[member.key()] = expanded(member.value());
  }
  return to_json(request);
}

TEST_F(HostileRequests, FieldsOfTheWrongTypeOrRange) {
  for (const auto& each : cases("fields.json")) {
    const std::string kind = text_or(each.as_object(), "kind", "");
    for (const std::string_view path : {kChat, kCompletion}) {
      if (!kind.empty() && (kind == "chat") != (path == kChat)) continue;
      const std::string body = changed_request(each, path == kChat, {{"max_tokens", 5}});
      send_and_expect(request_text("POST", path, body), each.as_object(), 400, "openai");
    }
  }
}

TEST_F(HostileRequests, FieldsOfOllamasInterface) {
  for (const auto& each : cases("ollama.json")) {
    const std::string only = text_or(each.as_object(), "path", "");
    for (const std::string path : {"/api/chat", "/api/generate"}) {
      if (!only.empty() && only != path) continue;
      const std::string body = changed_request(each, path == "/api/chat",
                                               {{"options", json::object{{"num_predict", 5}}}});
      send_and_expect(request_text("POST", path, body), each.as_object(), 400, "ollama");
    }
  }
}

TEST_F(HostileRequests, CutAtEveryByteGetsNoAnswerAndDoesNoHarm) {
  const std::string whole =
      request_text("POST", kChat, R"({"model":"echo","messages":[{"role":"user","content":"a"}]})");
  for (size_t length = 0; length < whole.size(); ++length) {
    Client client(port());
    client.send(whole.substr(0, length));
    client.shut_down_writing();
    EXPECT_TRUE(client.closed()) << length;
  }
  expect_serving();
}

TEST_F(HostileRequests, AnyByteBrokenStillEndsInAnAnswerOrAnEnd) {
  const std::string whole =
      request_text("POST", kChat, R"({"model":"echo","messages":[{"role":"user","content":"a"}]})",
                   "Connection: close\r\n");
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const char wrong : {'\0', '\n', '9', '\xff'}) {
      std::string bytes = whole;
      bytes[at] = wrong;
      Client client(port());
      client.send(bytes);
      client.shut_down_writing();
      const Reply reply = client.read_reply();
      EXPECT_TRUE(reply.status < 500 || reply.status == 501 || reply.status == 505) << at;
    }
  }
  expect_serving();
}

TEST_F(HostileRequests, PipelinedRequestsAreAnsweredInOrder) {
  Client client(port());
  const std::string bad = request_text("POST", kChat, "{}");
  client.send(bad + request_text("GET", "/health") + bad);
  EXPECT_EQ(client.read_reply().status, 400);
  EXPECT_EQ(client.read_reply().status, 200);
  EXPECT_EQ(client.read_reply().status, 400);
}

TEST_F(HostileRequests, HeaderFromARequestCannotBeginALineOfTheAnswer) {
  Client client(port());
  client.send("GET /health HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: a\tb\r\n\r\n");
  const Reply reply = client.read_reply();
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.headers.at("x-request-id").starts_with("req-"));
}

TEST(SlowSenders, GetATimeoutInTheirDialectAndNotAPlaceForEver) {
  ServerOptions options;
  options.header_timeout_ms = 30;
  options.body_pause_ms = 30;
  Running running(default_script(), options);
  const std::string whole = request_text("POST", kChat, R"({"model":"echo"})");
  for (const size_t length : {size_t{5}, whole.find("\r\n") + 4, whole.size() - 3}) {
    Client client(running.port());
    client.send(whole.substr(0, length));
    const Reply reply = client.read_reply();
    EXPECT_EQ(reply.status, 408) << length;
    EXPECT_NE(reply.body.find("did not arrive in time"), std::string::npos);
    const bool head_read = length > whole.find("\r\n\r\n");
    EXPECT_EQ(parse_json(reply.body).at("error").as_object().contains("param"), head_read);
    EXPECT_TRUE(client.closed());
  }
  EXPECT_EQ(fetch(running.port(), "GET", "/health").status, 200);
}

TEST(SlowSenders, CannotKeepABodyOpenByDrippingIt) {
  constexpr int64_t kHourMs = 3'600'000;
  std::atomic<int64_t> now_ms = 5;
  ServerOptions options;
  options.body_pause_ms = kHourMs;  // no pause is too long: only the whole time is
  options.body_timeout_ms = kHourMs;
  options.now_ms = [&] { return now_ms.load(); };
  Running running(default_script(), options);
  Client client(running.port());
  client.send(
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n"
      "Expect: 100-continue\r\n\r\n");
  client.receive_until("100 Continue\r\n\r\n");  // the body's time has begun
  for (int drop = 0; drop < 4; ++drop) {
    now_ms += kHourMs / 4;
    client.send(" ");
  }
  EXPECT_EQ(client.read_reply().status, 408);
}

TEST(SlowReaders, AreCutOffOnceTheirBacklogIsFull) {
  ServerOptions options;
  options.max_backlog_bytes = 16 << 10;
  auto script = default_script();
  script.models.front().context = 1 << 24;
  Running running(std::move(script), options);
  Client client(running.port());
  client.small_window();
  json::object request{{"model", "echo"}, {"stream", true}};
  request["prompt"] = json::string(repeated("word ", 400'000));
  request["max_tokens"] = 1'000'000;
  client.send(request_text("POST", kCompletion, to_json(request)));
  std::string all;
  for (std::string piece; !(piece = client.receive()).empty();) {
    if (all.empty()) {
      // Reads no more until the server has given up on it.
      while (running.gateway.running().front().running > 0) std::this_thread::yield();
      client.wide_window();
    }
    all += piece;
  }
  EXPECT_EQ(all.find("[DONE]"), std::string::npos);
  EXPECT_EQ(fetch(running.port(), "GET", "/health").status, 200);
}

TEST(TooManyConnections, GetAnAnswerThatSaysSoAndWhenToComeAgain) {
  ServerOptions options;
  options.max_connections = 2;
  Running running(default_script(), options);
  Client first(running.port()), second(running.port());
  for (Client* each : {&first, &second}) {
    each->send(request_text("GET", "/health"));
    EXPECT_EQ(each->read_reply().status, 200);
  }
  const Reply reply = fetch(running.port(), "GET", "/health");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.headers.at("retry-after"), "1");
  EXPECT_NE(reply.body.find("2 connections"), std::string::npos);
  first.close();
  while (fetch(running.port(), "GET", "/health").status == 503) std::this_thread::yield();
}

}  // namespace
}  // namespace strata::api
