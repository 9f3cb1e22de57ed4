#include "api/http/request_reader.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/core.h>

#include "api/limits.h"
#include "core/ascii.h"
#include "core/utf8.h"

namespace strata::api {

namespace asio = boost::asio;
namespace http = boost::beast::http;

struct RequestReader::Parser {
  http::request_parser<http::string_body> http;
  Parser() {
    http.header_limit(kMaxHeaderBytes);
    http.body_limit(boost::none);  // counted here: the route decides it, and it decides the message
    http.eager(false);
  }
};

RequestReader::RequestReader() : parser_(std::make_unique<Parser>()) {}
RequestReader::~RequestReader() = default;
RequestReader::RequestReader(RequestReader&&) noexcept = default;
RequestReader& RequestReader::operator=(RequestReader&&) noexcept = default;

namespace {

int status_of(http::error error) {
  switch (error) {
    case http::error::header_limit:
    case http::error::buffer_overflow:
      return 431;
    case http::error::bad_version:
      return 505;
    case http::error::body_limit:
      return 413;
    default:
      return 400;
  }
}

std::string text(boost::beast::string_view view) {
  return {view.data(), view.size()};
}

}  // namespace

void RequestReader::fail(int status, std::string message) {
  state_ = State::failed;
  status_ = status;
  message_ = std::move(message);
}

// "0\r\n\r\n": whoever has begun a chunk's header sends so many bytes. Beast's parser ends the
// program when it has seen a part of this and is asked again with fewer.
constexpr size_t kShortestLastChunk = 5;

size_t RequestReader::feed(std::string_view bytes) {
  size_t used = 0;
  while (state_ == State::head || state_ == State::body || state_ == State::head_ready) {
    const bool in_head = state_ == State::head;
    if (!in_head && parser_->http.is_done()) {
      state_ = State::complete;
      break;
    }
    if (used == bytes.size()) break;
    if (in_chunk_header_ && bytes.size() - used < kShortestLastChunk) break;
    boost::system::error_code error;
    const size_t n =
        parser_->http.put(asio::buffer(bytes.data() + used, bytes.size() - used), error);
    used += n;
    if (error == http::error::need_more) {
      if (in_head && bytes.size() - used > kMaxHeaderBytes) {
        fail(431, fmt::format("the request's head is over {} bytes", kMaxHeaderBytes));
      } else if (!in_head && bytes.size() - used > kMaxHeaderBytes) {
        fail(431,
             fmt::format("a chunk's extensions or the trailer are over {} bytes", kMaxHeaderBytes));
      } else if (!in_head) {
        state_ = State::body;
        in_chunk_header_ = true;  // a body's own bytes are always taken
      }
      break;
    }
    in_chunk_header_ = false;
    if (error) {
      const int status = status_of(static_cast<http::error>(error.value()));
      fail(status, status == 431
                       ? fmt::format("the request's head is over {} bytes", kMaxHeaderBytes)
                       : "this is not a well-formed HTTP/1.1 request: " + error.message());
      break;
    }
    if (in_head && parser_->http.is_header_done()) {
      read_head();
      break;
    }
    if (!in_head) {
      state_ = State::body;
      if (parser_->http.get().body().size() > body_limit_) {
        fail(413, fmt::format("the body is over the limit of {} bytes", body_limit_));
        break;
      }
    }
    if (n == 0) break;
  }
  if (state_ == State::body && parser_->http.is_done()) state_ = State::complete;
  return used;
}

void RequestReader::read_head() {
  const auto& head = parser_->http.get();
  request_.method = text(head.method_string());
  request_.target = text(head.target());
  request_.path = request_.target.substr(0, request_.target.find('?'));  // until it is decoded
  request_.http_1_0 = head.version() < 11;
  size_t fields = 0;
  for (const auto& field : head) {
    if (++fields > kMaxHeaderFields) {
      fail(431, fmt::format("the request has over {} header fields", kMaxHeaderFields));
      return;
    }
    request_.headers.add(text(field.name_string()), text(field.value()));
  }
  keep_alive_ = parser_->http.keep_alive();
  if (const auto length = parser_->http.content_length()) content_length_ = *length;
  has_body_ = parser_->http.chunked() || content_length_.value_or(0) > 0;
  expects_continue_ = false;
  check_head();
}

void RequestReader::check_head() {
  if (parser_->http.get().version() != 11 && parser_->http.get().version() != 10) {
    return fail(505, "this server speaks HTTP/1.1 and HTTP/1.0");
  }
  if (request_.target.size() > kMaxTargetBytes) {
    return fail(414, fmt::format("the request's target has {} bytes, the limit is {}",
                                 request_.target.size(), kMaxTargetBytes));
  }
  const auto path = decode_path(request_.path);
  if (!path || path->empty() || path->front() != '/' || !is_valid_utf8(*path)) {
    return fail(400, "the request's target must be a path such as /v1/models");
  }
  if (const size_t question = request_.target.find('?'); question != std::string::npos) {
    request_.query = request_.target.substr(question + 1);
  }
  request_.path = *path;
  if (request_.headers.count("host") > 1 ||
      (!request_.http_1_0 && !request_.headers.find("host"))) {
    return fail(400, "a request needs exactly one Host header");
  }
  if (const auto coding = request_.headers.find("transfer-encoding");
      coding && (request_.http_1_0 || !equal_but_case(*coding, "chunked"))) {
    return fail(501, "the only transfer coding that this server reads is chunked");
  }
  if (const auto coding = request_.headers.find("content-encoding");
      coding && !equal_but_case(*coding, "identity")) {
    return fail(415, "compressed request bodies are not read; send the body as it is");
  }
  if (const auto expectation = request_.headers.find("expect")) {
    if (!equal_but_case(*expectation, "100-continue")) {
      return fail(417, "the only expectation that this server knows is 100-continue");
    }
    expects_continue_ = has_body_;
  }
  state_ = State::head_ready;
}

size_t RequestReader::body_bytes() const {
  return parser_->http.get().body().size();
}

Request RequestReader::take() {
  request_.body = std::move(parser_->http.get().body());
  return std::move(request_);
}

}  // namespace strata::api
