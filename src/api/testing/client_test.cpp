#include "api/testing/client.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/error.h"

namespace strata::api::testing {
namespace {

void set_window(int socket, int bytes) {
  ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

}  // namespace

Client::Client(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    throw Error(Code::unavailable, fmt::format("cannot connect to port {}", port));
  }
}

Client::~Client() {
  close();
}

void Client::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

void Client::shut_down_writing() {
  ::shutdown(socket_, SHUT_WR);
}

void Client::small_window() {
  set_window(socket_, 1024);
}

void Client::wide_window() {
  set_window(socket_, 4 << 20);
}

void Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

bool Client::fill() {
  std::array<char, 65536> chunk{};
  const ssize_t n = ::recv(socket_, chunk.data(), chunk.size(), 0);
  if (n <= 0) return false;
  buffer_.append(chunk.data(), static_cast<size_t>(n));
  return true;
}

std::string Client::receive(size_t max_bytes) {
  if (buffer_.empty() && !fill()) return {};
  std::string out = buffer_.substr(0, max_bytes);
  buffer_.erase(0, out.size());
  return out;
}

std::string Client::receive_until(std::string_view text) {
  while (true) {
    const size_t at = buffer_.find(text);
    const bool found = at != std::string::npos;
    if (!found && fill()) continue;
    std::string out = buffer_.substr(0, found ? at + text.size() : buffer_.size());
    buffer_.erase(0, out.size());
    return out;
  }
}

bool Client::closed() {
  return buffer_.empty() && !fill();
}

Reply Client::read_reply(bool head_only) {
  Reply reply;
  std::string head = receive_until("\r\n\r\n");
  if (!head.ends_with("\r\n\r\n")) return reply;
  if (head.starts_with("HTTP/1.1 100 ")) return read_reply(head_only);
  std::from_chars(head.data() + 9, head.data() + 12, reply.status);
  for (size_t at = head.find("\r\n") + 2; at + 2 < head.size();) {
    const size_t end = head.find("\r\n", at), colon = head.find(": ", at);
    std::string name = head.substr(at, colon - at);
    std::ranges::transform(name, name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    });
    reply.headers[name] = head.substr(colon + 2, end - colon - 2);
    at = end + 2;
  }
  if (head_only || reply.status == 204) {
    reply.complete = true;
  } else if (reply.headers.contains("content-length")) {
    const size_t length = std::stoul(reply.headers["content-length"]);
    while (buffer_.size() < length && fill()) {
    }
    reply.body = buffer_.substr(0, length);
    buffer_.erase(0, reply.body.size());
    reply.complete = reply.body.size() == length;
  } else if (reply.headers["transfer-encoding"] == "chunked") {
    while (true) {
      const std::string line = receive_until("\r\n");
      size_t size = 0;
      if (std::from_chars(line.data(), line.data() + line.size(), size, 16).ec != std::errc())
        break;
      while (buffer_.size() < size + 2 && fill()) {
      }
      if (buffer_.size() < size + 2) break;
      reply.body += buffer_.substr(0, size);
      buffer_.erase(0, size + 2);
      reply.complete = size == 0;
      if (reply.complete) break;
    }
  } else {
    while (fill()) {
    }
    reply.body = std::move(buffer_);
    buffer_.clear();
    reply.complete = true;
  }
  return reply;
}

std::string request_text(std::string_view method, std::string_view path, std::string_view body,
                         std::string_view headers) {
  const std::string host =
      headers.find("Host:") == std::string_view::npos ? "Host: localhost\r\n" : "";
  const std::string length =
      body.empty() && method != "POST" ? "" : fmt::format("Content-Length: {}\r\n", body.size());
  return fmt::format("{} {} HTTP/1.1\r\n{}{}{}\r\n{}", method, path, host, length, headers, body);
}

Reply fetch(uint16_t port, std::string_view method, std::string_view path, std::string_view body,
            std::string_view headers) {
  Client client(port);
  client.send(request_text(method, path, body, headers));
  return client.read_reply(method == "HEAD");
}

}  // namespace strata::api::testing
