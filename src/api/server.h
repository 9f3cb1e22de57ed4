// The server put together: HTTP, guards, keys, dialects, metrics, over a gateway. `strata serve`
// and tests start it; it owns nothing of what it serves.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "api/access/access.h"
#include "api/access/guard.h"
#include "api/dialect/dialect.h"
#include "api/http/server.h"

namespace strata::api {

struct ServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 11434;  // 0: any free one
  bool require_key = false;
  // Beyond loopback without keys: only when the operator says so.
  bool allow_unprotected = false;
  std::vector<std::string> allowed_hosts, allowed_origins;
  bool local_pages = true;  // where the host is loopback: other pages of this machine may call
  int64_t drain_ms = 10'000;
  size_t max_connections = 0;    // 0: kMaxConnections
  size_t max_backlog_bytes = 0;  // 0: kMaxStreamBacklogBytes
  int64_t ping_interval_ms = 0;  // 0: kPingIntervalMs
  // How long a slow sender is waited for; 0: kHeaderTimeoutMs, kBodyPauseTimeoutMs, kBodyTimeoutMs.
  int64_t header_timeout_ms = 0, body_pause_ms = 0, body_timeout_ms = 0;
  std::function<int64_t()> now_ms{};  // as HttpOptions'
};

class Server {
 public:
  // `keys` may be null where no key is required. Everything passed must outlive the server.
  Server(Services services, KeyChecker* keys);
  ~Server();

  // Error{failed_precondition}: the port is taken, or the address is not loopback and neither keys
  // are required nor allow_unprotected is set.
  void start(const ServerOptions& options);
  std::string address() const;  // "http://127.0.0.1:11434"
  uint16_t port() const;
  void stop();  // drains, then ends; may be called from any thread
  void wait();  // until stop() has been called
  // All routes, for the tests that walk them.
  const RouteTable& routes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace strata::api
