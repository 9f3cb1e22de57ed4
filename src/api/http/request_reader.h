// Bytes of a connection → requests, piece by piece. Hides the HTTP library's parser; does no input
// or output itself, so that tests and the fuzzer feed it any bytes cut anywhere.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/http/http.h"

namespace strata::api {

class RequestReader {
 public:
  enum class State {
    head,        // the head is not complete
    head_ready,  // reached once: look at head(), set limit_body(), feed on
    body,
    complete,  // take()
    failed,    // status(), message(); nothing more is read
  };

  RequestReader();
  ~RequestReader();
  RequestReader(RequestReader&&) noexcept;
  RequestReader& operator=(RequestReader&&) noexcept;

  // Consumes a prefix and returns its length; what is left must come again with more behind it.
  size_t feed(std::string_view bytes);
  State state() const { return state_; }

  // After head_ready.
  Request& head() { return request_; }
  size_t body_bytes() const;  // that have arrived
  bool keep_alive() const { return keep_alive_; }
  bool has_body() const { return has_body_; }
  bool expects_continue() const { return expects_continue_; }
  std::optional<uint64_t> content_length() const { return content_length_; }
  // A longer body fails with status 413.
  void limit_body(size_t bytes) { body_limit_ = bytes; }

  Request take();  // after complete

  int status() const { return status_; }
  const std::string& message() const { return message_; }

 private:
  struct Parser;
  void read_head();
  void check_head();
  void fail(int status, std::string message);

  std::unique_ptr<Parser> parser_;
  State state_ = State::head;
  Request request_;
  bool keep_alive_ = true, has_body_ = false, expects_continue_ = false;
  bool in_chunk_header_ = false;  // the parser has seen a part of one
  std::optional<uint64_t> content_length_;
  size_t body_limit_ = 0;
  int status_ = 0;
  std::string message_;
};

}  // namespace strata::api
