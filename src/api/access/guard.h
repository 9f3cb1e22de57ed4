// Keeps web pages away from a server on this machine: which Host names it answers to, and from
// which Origins a browser may call it (DNS rebinding, cross-site requests).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/http/http.h"

namespace strata::api {

struct GuardOptions {
  bool any_host = false;                     // keys are asked for, which no foreign page has
  std::vector<std::string> allowed_hosts;    // besides localhost and addresses
  std::vector<std::string> allowed_origins;  // as of read_origins()
  bool local_pages = false;                  // those of this machine, any port of it
};

struct Origins {
  std::vector<std::string> allowed;
  bool local_pages = true;
};

// Of origins separated by commas: "https://chat.example.org", or with one "*" for anything there
// ("http://192.168.1.5:*", "chrome-extension://*"); "*" is every one, "self" lets no other page of
// this machine. Error{invalid_argument} for what no browser would ever send, and so never match.
Origins read_origins(std::string_view text);

// Host must be localhost, an IP address (which cannot be rebound) or allowed; an Origin must be the
// one that the Host names, or allowed; that of a local page may call all but our own interface,
// which shows what the app keeps and who may come in. Error{permission_denied} says which option
// would allow it.
void check_guard(const Request& request, const GuardOptions& options);

// Whether another page of this machine asks, which is not named as allowed. A browser sends it the
// cookies of every port, so that the app's session must not count.
bool is_other_local_page(const Request& request, const GuardOptions& options);

// The Origin to name in Access-Control-Allow-Origin: one that is allowed, or another local page's.
// Empty for every other, and for the server's own, which needs none.
std::string cors_origin(const Request& request, const GuardOptions& options);

}  // namespace strata::api
