// The one way out: an HTTP client whose every hop passes one address guard.
// A URL is parsed once (libcurl's parser), its host resolved once, and the connection goes to the
// address that was checked. Redirects are followed here, hop by hop, through the same guard.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace strata {

struct Url {
  std::string text;    // normalised, without user, password and fragment
  std::string scheme;  // lower case
  std::string host;    // lower case; an IPv6 address without its brackets
  uint16_t port = 0;   // the scheme's own when not given
  std::string path;    // as given, percent-encoded; at least "/"
};
// Error{invalid_argument}: not a URL, credentials in it, or over 8 KiB.
Url parse_url(std::string_view text);
// `reference` (absolute or relative) as seen from `base`.
Url resolve_url(const Url& base, std::string_view reference);
std::string percent_encode(std::string_view text, std::string_view keep = "");

// What connections may go where; from configuration and flags.
struct NetPolicy {
  bool offline = false;                 // refuses everything: Error{failed_precondition}
  bool allow_private = false;           // loopback, private, link-local and reserved addresses
  std::set<std::string> private_hosts;  // hosts that the operator named: private is allowed there
};

// Whether an address (text, IPv4 or IPv6) belongs to no public host: loopback, private,
// link-local, carrier NAT, multicast, reserved, or one of these inside an IPv6 form.
bool is_private_address(std::string_view address);

// The address from which this machine would reach others ("192.168.1.5"); "127.0.0.1" where it
// reaches none. Nothing is sent.
std::string outward_address();

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  HttpHeaders headers;         // sent to every hop
  HttpHeaders secret_headers;  // sent to the first hop's scheme, host and port only
  std::string body;
  uint64_t range_from = 0;  // > 0: asks for the bytes from here on
  uint64_t max_body_bytes = 64u << 20;
  uint64_t connect_timeout_ms = 30'000;
  uint64_t stall_timeout_ms = 60'000;  // no byte for so long: Error{unavailable}
  uint64_t total_timeout_ms = 0;       // 0: none
  int max_redirects = 8;
  std::function<bool()> keep_going;  // asked often; false: Error{cancelled}
};

struct HttpHead {
  int status = 0;
  Url url;  // of the last hop
  HttpHeaders headers;
  std::optional<uint64_t> content_length;
  // First header of that name, case-insensitive.
  std::optional<std::string_view> header(std::string_view name) const;
};

struct HttpResponse {
  HttpHead head;
  std::string body;
};

// Called once, before the body, for the final (not redirecting) answer.
using HeadSink = std::function<void(const HttpHead&)>;
using ByteSink = std::function<void(std::span<const std::byte>)>;

// Streams the answer into `sink`. Whatever the status, the body goes to the sink; look at the head
// first. What a sink throws comes out of here. Errors: invalid_argument (URL, scheme),
// permission_denied (private address), failed_precondition (offline), unavailable (cannot resolve
// or connect, cut, stalled, shorter than its Content-Length), resource_exhausted (longer
// than max_body_bytes), deadline_exceeded, cancelled.
HttpHead http_stream(const HttpRequest& request, const NetPolicy& policy, const HeadSink& on_head,
                     const ByteSink& sink);
HttpResponse http_request(const HttpRequest& request, const NetPolicy& policy);

}  // namespace strata
