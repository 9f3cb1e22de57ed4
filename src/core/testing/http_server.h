// A small real HTTP/1.1 server for tests: ranges, redirects, chunked bodies, and on request every
// way in which a server can fail (cut connections, lengths that are not true, silence).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace strata::testing {

struct ServedRequest {
  std::string method;
  std::string target;                          // path and query
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

struct Reply {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  std::string etag = {};  // without quotes; set: a Range is honoured (with If-Range)
  bool chunked = false;   // no Content-Length
  std::optional<uint64_t> said_length = {};  // a Content-Length that is not true
  std::optional<uint64_t> cut_after = {};    // closes the connection after so many bytes of body
  size_t piece_bytes = 65536;
  std::function<void(uint64_t sent)> after_piece = {};  // called with the bytes of body sent so far
};

class HttpServer {
 public:
  // The handler is called from the connections' threads, several at once.
  explicit HttpServer(std::function<Reply(const ServedRequest&)> handler);
  ~HttpServer();  // closes every connection and waits for their threads
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  uint16_t port() const { return port_; }
  std::string url(const std::string& target) const;  // "http://127.0.0.1:PORT/target"
  std::vector<ServedRequest> requests() const;

 private:
  void accept_loop();
  void serve(int socket);
  std::function<Reply(const ServedRequest&)> handler_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> closing_{false};
  mutable std::mutex mutex_;
  std::vector<ServedRequest> requests_;
  std::vector<int> sockets_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace strata::testing
