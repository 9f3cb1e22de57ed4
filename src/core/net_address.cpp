// URLs, which addresses belong to no public host, and the one of this machine.
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/error.h"
#include "core/net.h"

namespace strata {
namespace {

constexpr size_t kMaxUrlBytes = 8192;

using CurlUrl = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

std::string part(CURLU* handle, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(handle, which, &text, flags) != CURLUE_OK) return {};
  std::string out(text);
  curl_free(text);
  return out;
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

void set_url(CURLU* handle, std::string_view text) {
  const bool clean = std::ranges::all_of(text, [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f;
  });
  if (text.size() > kMaxUrlBytes || !clean) {
    throw Error(Code::invalid_argument,
                fmt::format("a URL of {} bytes is too long, or has blanks or characters in it that "
                            "must be percent-encoded",
                            text.size()));
  }
  // Only http and https are let through; libcurl may know others, which then fail below.
  const CURLUcode code =
      curl_url_set(handle, CURLUPART_URL, std::string(text).c_str(), CURLU_NON_SUPPORT_SCHEME);
  if (code != CURLUE_OK) {
    throw Error(Code::invalid_argument,
                fmt::format("'{}' is no URL: {}", text, curl_url_strerror(code)));
  }
}

Url read_url(CURLU* handle) {
  Url url;
  url.scheme = lower(part(handle, CURLUPART_SCHEME));
  if (url.scheme != "http" && url.scheme != "https") {
    throw Error(Code::invalid_argument,
                fmt::format("scheme '{}' is not allowed in a URL", url.scheme),
                "use https:// or http://");
  }
  if (!part(handle, CURLUPART_USER).empty() || !part(handle, CURLUPART_PASSWORD).empty()) {
    throw Error(Code::invalid_argument, "a URL must not carry a user name or password");
  }
  curl_url_set(handle, CURLUPART_FRAGMENT, nullptr, 0);
  url.host = lower(part(handle, CURLUPART_HOST));
  if (url.host.size() >= 2 && url.host.front() == '[') {
    url.host = url.host.substr(1, url.host.size() - 2);
  }
  if (url.host.empty()) throw Error(Code::invalid_argument, "a URL needs a host");
  const std::string port = part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  url.port = static_cast<uint16_t>(std::strtoul(port.c_str(), nullptr, 10));
  url.path = part(handle, CURLUPART_PATH);
  url.text = part(handle, CURLUPART_URL);
  return url;
}

bool in_block(uint32_t address, uint32_t base, int bits) {
  return bits == 0 || (address >> (32 - bits)) == (base >> (32 - bits));
}

constexpr uint32_t ipv4(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}

// IANA IPv4 Special-Purpose Address Registry, and multicast.
bool is_private_v4(uint32_t address) {
  struct Block {
    uint32_t base;
    int bits;
  };
  static constexpr std::array<Block, 15> kBlocks{{
      {ipv4(0, 0, 0, 0), 8},
      {ipv4(10, 0, 0, 0), 8},
      {ipv4(100, 64, 0, 0), 10},
      {ipv4(127, 0, 0, 0), 8},
      {ipv4(169, 254, 0, 0), 16},
      {ipv4(172, 16, 0, 0), 12},
      {ipv4(192, 0, 0, 0), 24},
      {ipv4(192, 0, 2, 0), 24},
      {ipv4(192, 88, 99, 0), 24},
      {ipv4(192, 168, 0, 0), 16},
      {ipv4(198, 18, 0, 0), 15},
      {ipv4(198, 51, 100, 0), 24},
      {ipv4(203, 0, 113, 0), 24},
      {ipv4(224, 0, 0, 0), 4},
      {ipv4(240, 0, 0, 0), 4},
  }};
  return std::ranges::any_of(
      kBlocks, [&](const Block& block) { return in_block(address, block.base, block.bits); });
}

uint32_t v4_at(const std::array<uint8_t, 16>& bytes, size_t at) {
  return ipv4(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
}

bool is_private_v6(const std::array<uint8_t, 16>& b) {
  const bool zeros_10 = std::all_of(b.begin(), b.begin() + 10, [](uint8_t x) { return x == 0; });
  if (zeros_10 && b[10] == 0xff && b[11] == 0xff) return is_private_v4(v4_at(b, 12));  // mapped
  if (zeros_10) return true;    // ::, ::1, v4-compatible
  if ((b[0] & 0xe0) != 0x20) {  // not global unicast 2000::/3
    const bool nat64 = b[0] == 0 && b[1] == 0x64 && b[2] == 0xff && b[3] == 0x9b &&
                       std::all_of(b.begin() + 4, b.begin() + 12, [](uint8_t x) { return x == 0; });
    return nat64 ? is_private_v4(v4_at(b, 12)) : true;
  }
  if (b[0] == 0x20 && b[1] == 0x02) return is_private_v4(v4_at(b, 2));  // 6to4
  if (b[0] == 0x20 && b[1] == 0x01 && b[2] < 0x02) return true;         // Teredo, ORCHID, …
  return b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0d && b[3] == 0xb8;  // documentation
}

// The own end of a way to that address; nullopt: there is none. A datagram socket that is connected
// knows it, and sends nothing by that.
std::optional<std::string> own_end(const char* target) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* to = nullptr;
  if (getaddrinfo(target, "9", &hints, &to) != 0) return std::nullopt;
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> held(to, freeaddrinfo);
  const int socket = ::socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return std::nullopt;
  sockaddr_storage own{};
  auto* const raw = reinterpret_cast<sockaddr*>(&own);
  socklen_t size = sizeof own;
  std::array<char, NI_MAXHOST> text{};
  const bool found =
      connect(socket, to->ai_addr, to->ai_addrlen) == 0 && getsockname(socket, raw, &size) == 0 &&
      getnameinfo(raw, size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0;
  close(socket);
  return found ? std::optional<std::string>(text.data()) : std::nullopt;
}

}  // namespace

Url parse_url(std::string_view text) {
  const CurlUrl handle(curl_url(), curl_url_cleanup);
  set_url(handle.get(), text);
  return read_url(handle.get());
}

Url resolve_url(const Url& base, std::string_view reference) {
  const CurlUrl handle(curl_url(), curl_url_cleanup);
  set_url(handle.get(), base.text);
  set_url(handle.get(), reference);
  return read_url(handle.get());
}

std::string percent_encode(std::string_view text, std::string_view keep) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~").find(c) != std::string_view::npos ||
                       keep.find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

bool is_private_address(std::string_view text) {
  const std::string address(text.substr(0, text.find('%')));  // without a zone
  in_addr v4{};
  if (inet_pton(AF_INET, address.c_str(), &v4) == 1) return is_private_v4(ntohl(v4.s_addr));
  std::array<uint8_t, 16> v6{};
  if (inet_pton(AF_INET6, address.c_str(), v6.data()) == 1) return is_private_v6(v6);
  return true;  // what is not understood is not public
}

// The targets are for documentation (RFC 5737, RFC 3849): where nobody routes them they take the
// way to the world.
std::string outward_address() {
  for (const char* target : {"192.0.2.1", "2001:db8::1"}) {
    if (const auto own = own_end(target)) return *own;
  }
  return "127.0.0.1";
}

std::optional<std::string_view> HttpHead::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (lower(key) == lower(std::string(name))) return value;
  }
  return std::nullopt;
}

}  // namespace strata
