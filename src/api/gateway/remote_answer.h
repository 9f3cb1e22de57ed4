// The remote backend's parts, internal to this folder: one answer of another strata, a pull there,
// and how their lines are read.
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "api/gateway/backend.h"
#include "api/json_text.h"
#include "core/error.h"
#include "core/net.h"

namespace strata::api {

// The answers of servers that a backend is waiting for, a thread each. The threads are the
// backend's and not the answers': who lets go of an answer, maybe in its own sink, waits for
// nobody.
class RemoteAnswers {
 public:
  // Stops all. Waits for the threads: they look up about once a second, whatever a server does.
  ~RemoteAnswers();
  // Error{unimplemented} for what the interface of the server at base_url cannot carry.
  std::unique_ptr<Answer> start(const std::string& base_url, const std::string& key,
                                ChatRequest request, ChatSink sink);

 private:
  struct Work {
    std::shared_ptr<std::atomic<bool>> wanted = std::make_shared<std::atomic<bool>>(true);
    std::shared_ptr<std::atomic<bool>> ended = std::make_shared<std::atomic<bool>>(false);
    std::thread thread{};
  };
  std::mutex mutex_;
  std::list<Work> works_;
};

// Has the server fetch a model into its store; returns the name that it got. Errors: what the
// server says, cancelled.
std::string pull_on_server(const std::string& base_url, const std::string& key,
                           std::string_view what, const models::PullOptions& options);

// Takes the whole lines of JSON objects off the front of `held`.
template <typename Take>
void take_lines(std::string& held, Take take) {
  for (size_t end = held.find('\n'); end != std::string::npos; end = held.find('\n')) {
    const std::string line = held.substr(0, end);
    held.erase(0, end + 1);
    if (!line.empty()) take(parse_json(line).as_object());
  }
}

// The server that the user named may lie at a private address.
NetPolicy policy_for_server(const std::string& url);
// A request with a JSON body to the server; `key` goes along where there is one.
HttpRequest request_to(const std::string& base_url, const std::string& key, std::string method,
                       std::string_view path, std::string body);
// Vectors of texts from /api/embed of a server. Errors: those of http_request, its refusals.
EmbeddingAnswer embed_on_server(const std::string& base_url, const std::string& key,
                                const EmbeddingRequest& request);
// What an answer that is not 200 says.
Error refusal_of(int status, const std::string& body);
// 0 where there is no such number.
int64_t integer_of(const json::object& line, std::string_view name);

}  // namespace strata::api
