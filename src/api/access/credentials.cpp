#include "api/access/credentials.h"

#include <algorithm>

#include "api/access/access.h"
#include "core/ascii.h"
#include "core/error.h"

namespace strata::api {
namespace {

constexpr size_t kMaxCredentialBytes = 1024;

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string_view bearer(std::string_view value) {
  const std::string_view scheme = value.substr(0, value.find(' '));
  if (!equal_but_case(scheme, "bearer")) {
    throw Error(Code::unauthenticated, "the Authorization header is not of the form 'Bearer KEY'",
                "send the key as 'Authorization: Bearer KEY' or 'x-api-key: KEY'");
  }
  return trim(value.substr(scheme.size()));
}

}  // namespace

std::optional<std::string> read_session(const Headers& headers) {
  std::string_view rest = headers.find("cookie").value_or("");
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(';'), rest.size());
    const std::string_view pair = trim(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!pair.starts_with(kSessionCookie)) continue;
    const std::string_view value = pair.substr(kSessionCookie.size());
    if (!value.starts_with('=') || value.size() > kMaxCredentialBytes) continue;
    if (value.substr(1).starts_with(kSessionPrefix)) return std::string(value.substr(1));
  }
  return std::nullopt;
}

std::optional<std::string> read_credential(const Headers& headers) {
  std::optional<std::string> found;
  for (const std::string_view form : {"authorization", "x-api-key", "api-key", "x-goog-api-key"}) {
    if (headers.count(form) > 1) {
      throw Error(Code::unauthenticated, fmt::format("the header {} is there twice", form));
    }
    const auto value = headers.find(form);
    if (!value || trim(*value).empty()) continue;
    const std::string_view key = form == "authorization" ? bearer(trim(*value)) : trim(*value);
    if (key.empty()) continue;
    if (key.size() > kMaxCredentialBytes) {
      throw Error(Code::unauthenticated, fmt::format("a key of {} bytes is no key", key.size()));
    }
    if (found && *found != key) {
      throw Error(Code::unauthenticated, "the request carries two different keys");
    }
    found = std::string(key);
  }
  return found ? found : read_session(headers);
}

void check_not_forged(const Request& request) {
  if (request.method == "GET" || request.method == "HEAD" || !read_session(request.headers)) return;
  if (request.headers.find(kFromAppHeader)) return;
  for (const std::string_view form : {"authorization", "x-api-key", "api-key", "x-goog-api-key"}) {
    if (request.headers.find(form)) return;
  }
  throw Error(Code::permission_denied,
              fmt::format("a change that is asked for with a cookie needs the header {}: 1",
                          kFromAppHeader),
              "programs send a key instead of a cookie");
}

}  // namespace strata::api
