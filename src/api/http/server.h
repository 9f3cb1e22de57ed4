// The HTTP/1.1 server: one thread of its own, any number of connections, nothing of the API in it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "api/http/http.h"

namespace strata::api {

// What the server asks and tells; called on its thread.
struct HttpHooks {
  // The head of a request has arrived. Must not throw.
  std::function<Admission(Request& head)> admit;
  // A request that cannot be read as HTTP: what to answer. `head`: what of it was read; its path is
  // as it was sent where it cannot be decoded.
  std::function<Response(int status, const std::string& message, const Request& head)> malformed;
  // An exchange is over. `cut_off`: the client went away, or read too slowly, before the end.
  std::function<void(const Request&, int status, bool cut_off)> done;
};

struct HttpOptions {
  std::string host = "127.0.0.1";  // an address, or "localhost"
  uint16_t port = 0;               // 0: any free one
  size_t max_connections = 0;      // 0: kMaxConnections
  size_t max_backlog_bytes = 0;    // 0: kMaxStreamBacklogBytes
  size_t max_request_bytes = 0;    // of all connections together; 0: kMaxHeldRequestBytes
  size_t max_answer_bytes = 0;     // likewise; 0: kMaxHeldAnswerBytes
  int64_t ping_interval_ms = 0;    // 0: kPingIntervalMs
  int64_t header_timeout_ms = 0;   // 0: kHeaderTimeoutMs
  int64_t body_pause_ms = 0;       // 0: kBodyPauseTimeoutMs
  int64_t body_timeout_ms = 0;     // 0: kBodyTimeoutMs
  // Milliseconds of a clock that never goes back, for body_timeout_ms; empty: the system's.
  std::function<int64_t()> now_ms{};
};

class HttpServer {
 public:
  // Listens at once and serves from a thread of its own. Error{failed_precondition} naming the
  // port where it is taken, Error{invalid_argument} where the host is no address of this machine.
  static std::unique_ptr<HttpServer> start(const HttpOptions& options, HttpHooks hooks);
  virtual ~HttpServer() = default;  // stop(0)

  virtual std::string host() const = 0;
  virtual uint16_t port() const = 0;
  virtual size_t connections() const = 0;
  // Takes no more requests, lets running answers end for at most `drain_ms`, then cuts them off.
  // Returns when the thread has ended. Can be called again.
  virtual void stop(int64_t drain_ms) = 0;
};

}  // namespace strata::api
