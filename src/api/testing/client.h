// For tests: a bare HTTP client over a socket, which sends any bytes it is told to.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace strata::api::testing {

struct Reply {
  int status = 0;
  std::map<std::string, std::string> headers;  // lower-case names
  std::string body;                            // chunks joined
  bool complete = false;                       // ended as its framing says
};

class Client {
 public:
  explicit Client(uint16_t port);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view bytes);  // all of them; false answers are found when reading
  std::string receive(size_t max_bytes = 65536);  // blocks; "" when the other side has closed
  Reply read_reply(bool head_only = false);       // leaves what follows for the next
  // Reads until `text` has arrived; everything so far, or what came before the end.
  std::string receive_until(std::string_view text);
  bool closed();  // blocks until the other side closes; false when it sends something
  void close();
  void shut_down_writing();
  void small_window();  // before anything is read: makes this a slow reader
  void wide_window();   // so that what still waits comes without the kernel's own long pauses

 private:
  bool fill();
  int socket_ = -1;
  std::string buffer_;
};

// One request over its own connection. `headers` are whole lines with CRLF.
Reply fetch(uint16_t port, std::string_view method, std::string_view path,
            std::string_view body = {}, std::string_view headers = {});
std::string request_text(std::string_view method, std::string_view path, std::string_view body = {},
                         std::string_view headers = {});

}  // namespace strata::api::testing
