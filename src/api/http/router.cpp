#include "api/http/router.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "core/error.h"

namespace strata::api {
namespace {

// How much of the path a {name} takes: one piece, and the last one all but what ends the pattern.
size_t taken(std::string_view rest_of_pattern, std::string_view path) {
  const bool last = rest_of_pattern.find_first_of("/{") == std::string_view::npos;
  if (!last) return std::min(path.find('/'), path.size());
  return path.ends_with(rest_of_pattern) ? path.size() - rest_of_pattern.size() : 0;
}

bool fits(std::string_view pattern, std::string_view path,
          std::map<std::string, std::string>& params) {
  while (true) {
    const size_t brace = pattern.find('{');
    if (brace == std::string_view::npos) return pattern == path;
    if (path.size() <= brace || path.substr(0, brace) != pattern.substr(0, brace)) return false;
    path.remove_prefix(brace);
    const size_t close = pattern.find('}');
    const std::string name(pattern.substr(brace + 1, close - brace - 1));
    pattern.remove_prefix(close + 1);
    const size_t end = taken(pattern, path);
    if (end == 0) return false;
    params[name] = path.substr(0, end);
    path.remove_prefix(end);
  }
}

// Of two routes that fit the one that says more of the request: more pieces of the path, fewer of
// them open, an ending behind an open one, a header.
bool closer(const Route& a, const Route& b) {
  const auto key = [](const Route& route) {
    return std::tuple(std::ranges::count(route.pattern, '/'),
                      -std::ranges::count(route.pattern, '{'), !route.pattern.ends_with('}'),
                      !route.header.empty());
  };
  return key(a) > key(b);
}

}  // namespace

void RouteTable::add(Route route) {
  for (const Route& other : routes_) {
    if (other.method == route.method && other.pattern == route.pattern &&
        other.header == route.header) {
      throw Error(Code::internal, fmt::format("two routes for {} {}", route.method, route.pattern));
    }
  }
  routes_.push_back(std::move(route));
}

RouteTable::Match RouteTable::match(std::string_view method, std::string_view path,
                                    const Headers* headers) const {
  Match match;
  std::set<std::string> allowed;
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  for (const Route& route : routes_) {
    std::map<std::string, std::string> params;
    if (!fits(route.pattern, path, params)) continue;
    const auto said = headers ? headers->find(route.header) : std::nullopt;
    if (!route.header.empty() && (!said || said->find(route.header_has) == said->npos)) continue;
    allowed.insert(route.method);
    if (route.method == "GET") allowed.insert("HEAD");
    if (route.method != wanted || (match.route && !closer(route, *match.route))) continue;
    match.route = &route;
    match.params = std::move(params);
  }
  if (match.route) return match;
  if (!allowed.empty()) allowed.insert("OPTIONS");
  for (const std::string& each : allowed) {
    if (!match.allowed.empty()) match.allowed += ", ";
    match.allowed += each;
  }
  return match;
}

}  // namespace strata::api
