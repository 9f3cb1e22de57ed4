#include "api/http/router.h"

#include <set>

#include "core/error.h"

namespace strata::api {
namespace {

bool fits(std::string_view pattern, std::string_view path,
          std::map<std::string, std::string>& params) {
  const size_t brace = pattern.find('{');
  if (brace == std::string_view::npos) return pattern == path;
  if (path.size() <= brace || path.substr(0, brace) != pattern.substr(0, brace)) return false;
  params[std::string(pattern.substr(brace + 1, pattern.size() - brace - 2))] = path.substr(brace);
  return true;
}

}  // namespace

void RouteTable::add(Route route) {
  for (const Route& other : routes_) {
    if (other.method == route.method && other.pattern == route.pattern) {
      throw Error(Code::internal, fmt::format("two routes for {} {}", route.method, route.pattern));
    }
  }
  routes_.push_back(std::move(route));
}

RouteTable::Match RouteTable::match(std::string_view method, std::string_view path) const {
  Match match;
  std::set<std::string> allowed;
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  for (const Route& route : routes_) {
    std::map<std::string, std::string> params;
    if (!fits(route.pattern, path, params)) continue;
    allowed.insert(route.method);
    if (route.method == "GET") allowed.insert("HEAD");
    if (route.method != wanted) continue;
    match.route = &route;
    match.params = std::move(params);
    return match;
  }
  if (!allowed.empty()) allowed.insert("OPTIONS");
  for (const std::string& each : allowed) {
    if (!match.allowed.empty()) match.allowed += ", ";
    match.allowed += each;
  }
  return match;
}

}  // namespace strata::api
