#include "core/net.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>
#include <unistd.h>

#include "core/error.h"
#include "core/os.h"
#include "core/secrets.h"
#include "core/version.h"

namespace strata {
namespace {

constexpr size_t kMaxHeaderBytes = 256u << 10;  // of one answer

std::string address_text(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address->sa_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text.data(),
              text.size());
  } else if (address->sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text.data(),
              text.size());
  }
  return text.data();
}

std::vector<std::string> resolve(const Url& url) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(url.host.c_str(), nullptr, &hints, &list);
  if (error != 0) {
    throw Error(Code::unavailable,
                fmt::format("cannot find the host {}: {}", url.host, ::gai_strerror(error)),
                "check the network connection and the name");
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(list, ::freeaddrinfo);
  std::vector<std::string> out;
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    const std::string text = address_text(at->ai_addr);
    if (!text.empty() && std::ranges::find(out, text) == out.end()) out.push_back(text);
  }
  return out;
}

// Of a proxy's address, "[SCHEME://][USER[:PASSWORD]@]HOST…".
void keep_credentials(std::string_view proxy) {
  const size_t end = proxy.rfind('@');
  if (end == std::string_view::npos) return;
  const size_t scheme = proxy.find("://");
  const size_t begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::string_view user = proxy.substr(begin, end - std::min(begin, end));
  keep_secret(user);
  if (const size_t colon = user.find(':'); colon != std::string_view::npos) {
    keep_secret(user.substr(colon + 1));
  }
}

// The environment's word for a proxy, as curl(1) understands it.
std::string proxy_for(const Url& url) {
  const std::string exempt = environment("no_proxy").value_or(environment("NO_PROXY").value_or(""));
  size_t at = 0;
  while (at < exempt.size()) {
    const size_t end = std::min(exempt.find_first_of(", ", at), exempt.size());
    std::string_view entry = std::string_view(exempt).substr(at, end - at);
    at = end + 1;
    if (entry == "*") return {};
    if (entry.starts_with('.')) entry.remove_prefix(1);
    if (entry.empty()) continue;
    if (url.host == entry) return {};
    if (url.host.ends_with(entry) && url.host[url.host.size() - entry.size() - 1] == '.') return {};
  }
  // HTTP_PROXY in capitals is what a CGI client can set: not read.
  auto proxy = environment(url.scheme + "_proxy");
  if (!proxy && url.scheme == "https") proxy = environment("HTTPS_PROXY");
  if (!proxy) proxy = environment("all_proxy");
  if (!proxy) proxy = environment("ALL_PROXY");
  if (proxy) keep_credentials(*proxy);
  return proxy.value_or("");
}

// What the guard lets one hop connect to.
struct Route {
  std::string proxy;                   // "" : direct
  std::vector<std::string> addresses;  // checked; empty behind a proxy, which resolves itself
};

Route guard(const Url& url, const NetPolicy& policy) {
  if (policy.offline) {
    throw Error(Code::failed_precondition,
                fmt::format("offline: no connection to {} is made", url.host),
                "leave --offline away");
  }
  const bool may_be_private = policy.allow_private || policy.private_hosts.contains(url.host);
  const auto refuse = [&](const std::string& address) {
    throw Error(Code::permission_denied,
                fmt::format("{} is at {}, an address that is not public", url.host, address),
                "allow private addresses explicitly if you mean it");
  };
  Route route;
  route.proxy = proxy_for(url);
  in6_addr ignored{};
  const bool literal = inet_pton(AF_INET, url.host.c_str(), &ignored) == 1 ||
                       inet_pton(AF_INET6, url.host.c_str(), &ignored) == 1;
  if (!route.proxy.empty()) {
    const bool local = url.host == "localhost" || url.host.ends_with(".localhost") ||
                       (literal && is_private_address(url.host));
    if (local && !may_be_private) refuse("a private name or address behind the proxy");
    return route;
  }
  route.addresses = literal ? std::vector<std::string>{url.host} : resolve(url);
  for (const auto& address : route.addresses) {
    if (!may_be_private && is_private_address(address)) refuse(address);
  }
  return route;
}

// Everything that the callbacks of one hop share. What is thrown in a callback is kept here: an
// exception must not cross libcurl.
struct Hop {
  const HttpRequest* request = nullptr;
  const Route* route = nullptr;
  const HeadSink* on_head = nullptr;
  const ByteSink* sink = nullptr;
  HttpHead head;
  std::string location;
  size_t header_bytes = 0;
  uint64_t body_bytes = 0;
  bool head_given = false;
  std::exception_ptr thrown;

  bool redirects() const {
    return !location.empty() && (head.status == 301 || head.status == 302 || head.status == 303 ||
                                 head.status == 307 || head.status == 308);
  }
  void give_head() {
    if (head_given || redirects()) return;
    head_given = true;
    if (*on_head) (*on_head)(head);
  }
};

curl_socket_t open_socket(void* data, curlsocktype, curl_sockaddr* address) {
  const auto* hop = static_cast<const Hop*>(data);
  if (hop->route->proxy.empty()) {
    const std::string text = address_text(&address->addr);
    if (std::ranges::find(hop->route->addresses, text) == hop->route->addresses.end()) {
      return CURL_SOCKET_BAD;  // not what was checked
    }
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

void read_header(Hop& hop, std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {  // a new answer: after 100 Continue, or a proxy's CONNECT
    hop.head.headers.clear();
    hop.head.content_length.reset();
    hop.location.clear();
    return;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  std::string_view value = line.substr(colon + 1);
  value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
  hop.head.headers.emplace_back(line.substr(0, colon), value);
}

size_t on_header(char* data, size_t, size_t size, void* user) {
  auto& hop = *static_cast<Hop*>(user);
  hop.header_bytes += size;
  if (hop.header_bytes > kMaxHeaderBytes) {
    hop.thrown = std::make_exception_ptr(
        Error(Code::resource_exhausted,
              fmt::format("the answer's headers are over the limit of {} bytes", kMaxHeaderBytes)));
    return 0;
  }
  read_header(hop, {data, size});
  return size;
}

void finish_head(Hop& hop, CURL* curl) {
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  hop.head.status = static_cast<int>(status);
  if (const auto location = hop.head.header("location")) hop.location = *location;
  const auto length = hop.head.header("content-length");
  uint64_t value = 0;
  if (length &&
      std::from_chars(length->data(), length->data() + length->size(), value).ec == std::errc()) {
    hop.head.content_length = value;
  }
}

struct BodyTarget {
  Hop* hop;
  CURL* curl;
};

size_t on_body(char* data, size_t, size_t size, void* user) {
  const auto& target = *static_cast<BodyTarget*>(user);
  Hop& hop = *target.hop;
  try {
    if (!hop.head_given) finish_head(hop, target.curl);
    hop.body_bytes += size;
    if (hop.body_bytes > hop.request->max_body_bytes) {
      throw Error(Code::resource_exhausted,
                  fmt::format("the answer from {} is over the limit of {} bytes", hop.head.url.host,
                              hop.request->max_body_bytes));
    }
    hop.give_head();
    if (!hop.redirects()) (*hop.sink)(std::as_bytes(std::span(data, size)));
    return size;
  } catch (...) {
    hop.thrown = std::current_exception();
    return 0;
  }
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto& hop = *static_cast<Hop*>(user);
  return hop.request->keep_going && !hop.request->keep_going() ? 1 : 0;
}

Code code_of(CURLcode code) {
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
      return Code::cancelled;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return Code::invalid_argument;
    default:
      return Code::unavailable;
  }
}

std::string reason(const Hop& hop, CURLcode code) {
  const std::string& host = hop.head.url.host;
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
      return "cancelled";
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
      return hop.head.content_length
                 ? fmt::format("the connection to {} was cut after {} of {} bytes", host,
                               hop.body_bytes, *hop.head.content_length)
                 : fmt::format("the connection to {} was cut after {} bytes", host, hop.body_bytes);
    case CURLE_OPERATION_TIMEDOUT:
      return fmt::format("{} did not answer in time ({} bytes came)", host, hop.body_bytes);
    case CURLE_COULDNT_CONNECT:
      return fmt::format("cannot connect to {} port {}", host, hop.head.url.port);
    default:
      return fmt::format("{}: {}", host, curl_easy_strerror(code));
  }
}

class HeaderList {
 public:
  void add(const HttpHeaders& headers) {
    for (const auto& [name, value] : headers) {
      if ((name + value).find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
        throw Error(Code::invalid_argument, fmt::format("a line break in the header {}", name));
      }
      add_line(name + ": " + value);
    }
  }
  void add_line(const std::string& line) { list_ = curl_slist_append(list_, line.c_str()); }
  HeaderList() = default;
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  ~HeaderList() { curl_slist_free_all(list_); }
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

std::string resolve_line(const Url& url, const Route& route) {
  std::string line = fmt::format(
      "{}:{}:", url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]",
      url.port);
  for (size_t i = 0; i < route.addresses.size(); ++i) {
    const bool v6 = route.addresses[i].find(':') != std::string::npos;
    line += (i > 0 ? "," : "") + (v6 ? "[" + route.addresses[i] + "]" : route.addresses[i]);
  }
  return line;
}

void set_limits(CURL* curl, const HttpRequest& request) {
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout_ms));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                   static_cast<long>((request.stall_timeout_ms + 999) / 1000));
  if (request.total_timeout_ms > 0) {
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(request.total_timeout_ms));
  }
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  // The bytes are hashed and resumed as they are sent: no content coding.
  curl_easy_setopt(curl, CURLOPT_HTTP_CONTENT_DECODING, 0L);
}

void set_method(CURL* curl, const HttpRequest& request) {
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  if (request.method == "HEAD") curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  if (!request.body.empty() || request.method == "POST") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
  }
}

// One hop: connects to what the guard has checked; the body goes to the sink unless it redirects.
void perform(Hop& hop, const HttpHeaders& secrets) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> owned(curl_easy_init(),
                                                                  curl_easy_cleanup);
  CURL* curl = owned.get();
  const HttpRequest& request = *hop.request;
  HeaderList headers;
  headers.add(request.headers);
  headers.add(secrets);
  if (request.range_from > 0) headers.add_line(fmt::format("Range: bytes={}-", request.range_from));
  HeaderList pinned;
  if (hop.route->proxy.empty()) pinned.add_line(resolve_line(hop.head.url, *hop.route));
  BodyTarget target{&hop, curl};

  set_limits(curl, request);
  set_method(curl, request);
  curl_easy_setopt(curl, CURLOPT_URL, hop.head.url.text.c_str());
  curl_easy_setopt(curl, CURLOPT_USERAGENT, fmt::format("strata/{}", version()).c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_RESOLVE, pinned.get());
  curl_easy_setopt(curl, CURLOPT_PROXY, hop.route->proxy.c_str());
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "");
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &hop);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &hop);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &target);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &hop);

  const CURLcode code = curl_easy_perform(curl);
  if (hop.thrown) std::rethrow_exception(hop.thrown);
  finish_head(hop, curl);
  if (code != CURLE_OK) throw Error(code_of(code), reason(hop, code));
  hop.give_head();
}

bool same_origin(const Url& a, const Url& b) {
  return a.scheme == b.scheme && a.host == b.host && a.port == b.port;
}

}  // namespace

HttpHead http_stream(const HttpRequest& request, const NetPolicy& policy, const HeadSink& on_head,
                     const ByteSink& sink) {
  HttpRequest current = request;
  const Url first = parse_url(request.url);
  Url url = first;
  for (int hops = 0;; ++hops) {
    const Route route = guard(url, policy);
    Hop hop;
    hop.request = &current;
    hop.route = &route;
    hop.on_head = &on_head;
    hop.sink = &sink;
    hop.head.url = url;
    perform(hop, same_origin(url, first) ? request.secret_headers : HttpHeaders{});
    if (!hop.redirects()) return hop.head;
    if (hops >= request.max_redirects) {
      throw Error(Code::unavailable,
                  fmt::format("{} redirected more than {} times", first.host, hops));
    }
    const Url next = resolve_url(url, hop.location);
    if (url.scheme == "https" && next.scheme == "http") {
      throw Error(Code::permission_denied,
                  fmt::format("{} redirects from https to http ({})", url.host, next.host));
    }
    if (hop.head.status == 303 || (hop.head.status < 303 && current.method == "POST")) {
      current.method = "GET";
      current.body.clear();
    }
    url = next;
  }
}

HttpResponse http_request(const HttpRequest& request, const NetPolicy& policy) {
  HttpResponse response;
  response.head = http_stream(request, policy, {}, [&](std::span<const std::byte> bytes) {
    response.body.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  });
  return response;
}

}  // namespace strata
