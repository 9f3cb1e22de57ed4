#include "core/testing/http_server.h"

#include <algorithm>
#include <cstdlib>

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/ascii.h"
#include "core/check.h"

namespace strata::testing {
namespace {

bool send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

std::optional<ServedRequest> receive(int socket) {
  std::string data;
  char buffer[4096];
  size_t end = std::string::npos;
  while ((end = data.find("\r\n\r\n")) == std::string::npos) {
    const ssize_t got = ::recv(socket, buffer, sizeof buffer, 0);
    if (got <= 0) return std::nullopt;
    data.append(buffer, static_cast<size_t>(got));
  }
  ServedRequest out;
  size_t at = data.find("\r\n");
  const std::string line = data.substr(0, at);
  const size_t first = line.find(' ');
  out.method = line.substr(0, first);
  out.target = line.substr(first + 1, line.rfind(' ') - first - 1);
  for (at += 2; at < end;) {
    const size_t stop = data.find("\r\n", at);
    const size_t colon = data.find(':', at);
    out.headers[lower_case(data.substr(at, colon - at))] =
        data.substr(colon + 2, stop - std::min(stop, colon + 2));
    at = stop + 2;
  }
  out.body = data.substr(end + 4);
  const auto length = out.headers.find("content-length");
  const size_t wanted =
      length == out.headers.end() ? 0 : std::strtoul(length->second.c_str(), nullptr, 10);
  while (out.body.size() < wanted) {
    const ssize_t got = ::recv(socket, buffer, sizeof buffer, 0);
    if (got <= 0) return std::nullopt;
    out.body.append(buffer, static_cast<size_t>(got));
  }
  return out;
}

// Turns a whole answer into the part that a Range asks for.
void apply_range(const ServedRequest& request, Reply& reply) {
  const auto range = request.headers.find("range");
  if (reply.etag.empty() || range == request.headers.end() || reply.status != 200) return;
  const auto condition = request.headers.find("if-range");
  if (condition != request.headers.end() && condition->second != "\"" + reply.etag + "\"") return;
  const uint64_t from = std::strtoull(range->second.c_str() + 6, nullptr, 10);
  const uint64_t size = reply.body.size();
  if (from >= size) {
    reply.status = 416;
    reply.headers.emplace_back("Content-Range", fmt::format("bytes */{}", size));
    reply.body.clear();
    return;
  }
  reply.status = 206;
  reply.headers.emplace_back("Content-Range", fmt::format("bytes {}-{}/{}", from, size - 1, size));
  reply.body.erase(0, from);
}

bool send_reply(int socket, const ServedRequest& request, Reply reply) {
  apply_range(request, reply);
  std::string head = fmt::format("HTTP/1.1 {} X\r\n", reply.status);
  for (const auto& [name, value] : reply.headers) head += name + ": " + value + "\r\n";
  if (!reply.etag.empty()) head += "ETag: \"" + reply.etag + "\"\r\n";
  if (reply.chunked) {
    head += "Transfer-Encoding: chunked\r\n";
  } else {
    head += fmt::format("Content-Length: {}\r\n", reply.said_length.value_or(reply.body.size()));
  }
  if (!send_all(socket, head + "\r\n")) return false;
  if (request.method == "HEAD") return true;
  const uint64_t stop = std::min<uint64_t>(reply.cut_after.value_or(UINT64_MAX), reply.body.size());
  for (uint64_t at = 0; at < stop;) {
    const uint64_t size = std::min<uint64_t>(reply.piece_bytes, stop - at);
    const std::string_view piece = std::string_view(reply.body).substr(at, size);
    const bool sent = reply.chunked ? send_all(socket, fmt::format("{:x}\r\n{}\r\n", size, piece))
                                    : send_all(socket, piece);
    if (!sent) return false;
    at += size;
    if (reply.after_piece) reply.after_piece(at);
  }
  if (reply.cut_after || reply.said_length.value_or(reply.body.size()) != reply.body.size()) {
    return false;
  }
  return !reply.chunked || send_all(socket, "0\r\n\r\n");
}

}  // namespace

HttpServer::HttpServer(std::function<Reply(const ServedRequest&)> handler)
    : handler_(std::move(handler)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  CHECK(listener_ >= 0);
  CHECK(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
  CHECK(::listen(listener_, 16) == 0);
  CHECK(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_loop(); });
}

HttpServer::~HttpServer() {
  closing_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  {
    const std::lock_guard guard(mutex_);
    for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
  }
  for (auto& thread : threads_) thread.join();
  for (const int socket : sockets_) ::close(socket);
  ::close(listener_);
}

std::string HttpServer::url(const std::string& target) const {
  return fmt::format("http://127.0.0.1:{}{}", port_, target);
}

std::vector<ServedRequest> HttpServer::requests() const {
  const std::lock_guard guard(mutex_);
  return requests_;
}

void HttpServer::accept_loop() {
  while (!closing_) {
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) continue;
    const std::lock_guard guard(mutex_);
    sockets_.push_back(socket);
    threads_.emplace_back([this, socket] { serve(socket); });
  }
}

void HttpServer::serve(int socket) {
  while (const auto request = receive(socket)) {
    {
      const std::lock_guard guard(mutex_);
      requests_.push_back(*request);
    }
    if (!send_reply(socket, *request, handler_(*request))) break;
  }
  ::shutdown(socket, SHUT_RDWR);  // closed by the destructor, so that no number is used twice
}

}  // namespace strata::testing
