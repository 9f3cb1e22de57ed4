// HTTP as the rest of the program sees it: a request, a response, an exchange that answers at once
// or streams. Plain types: only two files of this folder see the HTTP library.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace strata::api {

// Names compare without regard to case; order and repetitions are kept.
class Headers {
 public:
  void add(std::string name, std::string value);
  // The first of that name.
  std::optional<std::string_view> find(std::string_view name) const;
  size_t count(std::string_view name) const;
  void remove(std::string_view name);  // all of that name
  const std::vector<std::pair<std::string, std::string>>& all() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

struct Request {
  std::string id;      // x-request-id: the client's own when it is well-formed, else drawn
  std::string method;  // "GET"
  std::string target;  // as sent
  std::string path;    // decoded, without the query
  std::string query;   // as sent, without '?'
  Headers headers;
  std::string body;
  std::string peer;  // "127.0.0.1:5123"
  bool http_1_0 = false;
  std::map<std::string, std::string> params;  // what the route's pattern names
  std::string owner;  // whose what it makes will be: the id of the caller's key; "": without one
  bool is_batch = false;  // a line of many, for which nobody waits
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  Headers headers;
};

// One request being answered. All functions may be called from any thread. Either respond(), or
// begin(), write()*, end(); what comes after the end or after the client has gone has no effect.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const Request& request() const = 0;
  // Goes out with the head, whichever way it is sent.
  virtual void add_header(std::string name, std::string value) = 0;
  virtual void respond(Response response) = 0;
  virtual void begin(int status, std::string content_type) = 0;
  // False once the client has gone, or has let kMaxStreamBacklogBytes pile up (then it is cut off).
  virtual bool write(std::string_view bytes) = 0;
  virtual void end() = 0;
  virtual bool begun() const = 0;  // respond() or begin() was called
  virtual bool gone() const = 0;   // nobody will read more
  // Owned until the exchange is over: when the client goes away, the work behind it is destroyed
  // at once. Destroyed on the server's thread, never inside a call of this class.
  virtual void keep(std::shared_ptr<void> work) = 0;
  // Calls `beat` on the server's thread whenever nothing was written for so long; 0: for
  // kPingIntervalMs.
  virtual void on_silence(std::function<void()> beat, int64_t every_ms = 0) = 0;
};

using Handler = std::function<void(const std::shared_ptr<Exchange>&)>;

// What becomes of a request whose head has arrived. A refusal is answered by the handler without
// reading the body.
struct Admission {
  bool refused = false;
  size_t body_limit = 0;
  Handler handler;
  Handler too_large;  // answers when the body is over the limit
};

// Percent-decodes; nullopt when malformed, or with a NUL or a control character in it.
std::optional<std::string> decode_path(std::string_view encoded);
// First value of a query's field, percent-decoded ('+' is a space).
std::optional<std::string> query_value(std::string_view query, std::string_view name);
std::string_view reason_phrase(int status);

}  // namespace strata::api
