#include "api/access/guard.h"

#include <algorithm>
#include <array>

#include <arpa/inet.h>

#include "core/ascii.h"
#include "core/error.h"

namespace strata::api {
namespace {

constexpr std::string_view kOwnInterface = "/api/v1/";

// "name:80" → "name"; "[::1]:80" → "::1"; empty when something else stands there.
std::string host_name(std::string_view host) {
  const bool bracketed = !host.empty() && host.front() == '[';
  const size_t end = bracketed ? host.find(']') : std::min(host.find(':'), host.size());
  if (end == std::string_view::npos) return {};
  std::string_view port = host.substr(bracketed ? end + 1 : end);
  if (!port.empty() && port.front() != ':') return {};
  if (!port.empty()) port.remove_prefix(1);
  if (port.find_first_not_of("0123456789") != std::string_view::npos) return {};
  std::string name(bracketed ? host.substr(1, end - 1) : host.substr(0, end));
  if (!name.empty() && name.back() == '.') name.pop_back();
  return name;
}

bool is_address(const std::string& name) {
  std::array<unsigned char, 16> out{};
  return inet_pton(AF_INET, name.c_str(), out.data()) == 1 ||
         inet_pton(AF_INET6, name.c_str(), out.data()) == 1;
}

bool listed(const std::vector<std::string>& list, std::string_view text) {
  return std::ranges::any_of(list,
                             [&](const std::string& entry) { return equal_but_case(entry, text); });
}

bool host_allowed(std::string_view host, const GuardOptions& options) {
  const std::string name = host_name(host);
  if (options.any_host) return true;
  return equal_but_case(name, "localhost") || is_address(name) ||
         listed(options.allowed_hosts, name);
}

// One "*" of an entry stands for any text.
bool fits(std::string_view entry, std::string_view origin) {
  const size_t star = entry.find('*');
  if (star == entry.npos) return equal_but_case(entry, origin);
  const std::string_view front = entry.substr(0, star);
  const std::string_view back = entry.substr(star + 1);
  return origin.size() >= front.size() + back.size() &&
         equal_but_case(origin.substr(0, front.size()), front) &&
         equal_but_case(origin.substr(origin.size() - back.size()), back);
}

bool origin_allowed(std::string_view origin, const GuardOptions& options) {
  return std::ranges::any_of(options.allowed_origins,
                             [&](const std::string& entry) { return fits(entry, origin); });
}

void check_origin(std::string_view entry) {
  if (entry == "*") return;
  constexpr std::string_view kBehindScheme = "://";
  const size_t scheme_end = entry.find(kBehindScheme);
  const std::string_view host =
      scheme_end == entry.npos ? "" : entry.substr(scheme_end + kBehindScheme.size());
  const bool well_formed =
      scheme_end > 0 && !host.empty() && host.find_first_of("/?#@") == host.npos &&
      entry.find_first_of(" \t") == entry.npos && std::ranges::count(entry, '*') <= 1;
  if (well_formed) return;
  throw Error(Code::invalid_argument, fmt::format("'{}' is no origin of a web page", entry),
              "write scheme://host or scheme://host:port without a path, such as "
              "https://chat.example.org; or *, or self");
}

bool is_own(const Request& request, std::string_view origin) {
  const auto host = request.headers.find("host");
  return host &&
         (origin == fmt::format("http://{}", *host) || origin == fmt::format("https://{}", *host));
}

bool is_local(std::string_view origin) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!origin.starts_with(scheme)) continue;
    const std::string name = host_name(origin.substr(scheme.size()));
    return equal_but_case(name, "localhost") || name == "127.0.0.1" || name == "::1";
  }
  return false;
}

// The app's document that draws diagrams has no origin and loads its scripts, which are public.
bool is_for_frame(const Request& request, std::string_view origin) {
  return origin == "null" && request.method == "GET" && request.path.starts_with("/frame/");
}

}  // namespace

Origins read_origins(std::string_view text) {
  Origins origins;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    const std::string_view entry = trimmed(text.substr(at, end - at));
    at = end + 1;
    if (entry.empty()) continue;
    if (equal_but_case(entry, "self")) {
      origins.local_pages = false;
      continue;
    }
    check_origin(entry);
    origins.allowed.emplace_back(entry);
  }
  return origins;
}

void check_guard(const Request& request, const GuardOptions& options) {
  const auto host = request.headers.find("host");
  if (host && !host_allowed(*host, options)) {
    throw Error(Code::permission_denied,
                fmt::format("this server does not answer to the host name '{}'", *host),
                "call it by its address, or start it with --allow-host NAME");
  }
  const auto origin = request.headers.find("origin");
  if (!origin || origin_allowed(*origin, options) || is_for_frame(request, *origin)) return;
  if (is_own(request, *origin) || is_other_local_page(request, options)) return;
  throw Error(Code::permission_denied,
              fmt::format("web pages of '{}' may not call this server", *origin),
              "start it with --allow-origin ORIGIN to let them");
}

bool is_other_local_page(const Request& request, const GuardOptions& options) {
  const auto origin = request.headers.find("origin");
  return origin && options.local_pages && is_local(*origin) && !is_own(request, *origin) &&
         !origin_allowed(*origin, options) && !request.path.starts_with(kOwnInterface);
}

std::string cors_origin(const Request& request, const GuardOptions& options) {
  const auto origin = request.headers.find("origin");
  const bool may_read =
      origin && (origin_allowed(*origin, options) || is_other_local_page(request, options));
  return may_read ? std::string(*origin) : std::string();
}

}  // namespace strata::api
