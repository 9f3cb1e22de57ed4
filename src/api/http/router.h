// The table of routes: method, pattern, scope, body limit, handler. What is not in it is denied.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "api/access/scope.h"
#include "api/http/http.h"
#include "api/limits.h"

namespace strata::api {

// Where a handler runs.
enum class Lane : uint8_t {
  direct,     // on HTTP's own thread: it takes microseconds and waits for nothing
  prompts,    // beside it: parses, renders and encodes
  store,      // beside it: reads files, waits for the store's locks
  documents,  // beside it: waits for a process that reads a document
  network,    // beside it: waits for another server
};

struct Route {
  std::string method;  // "GET" also answers HEAD
  // "/v1/batches/{id}/cancel"; at the end a {name} takes the rest of the path, in
  // "/models/{model}:countTokens" what stands before the ending.
  std::string pattern;
  Scope scope = Scope::admin;
  size_t body_limit = kMaxBodyBytes;
  Handler handler;
  std::string dialect;  // whose error shape
  Lane lane = Lane::direct;
  std::string header{};       // only for requests that carry it, and before those without
  std::string header_has{};   // and in whose value this stands
  bool key_in_query = false;  // the query's "key" is a credential
};

class RouteTable {
 public:
  // Error{internal} when method and pattern are there already.
  void add(Route route);
  const std::vector<Route>& routes() const { return routes_; }

  struct Match {
    const Route* route = nullptr;  // null: see `allowed`
    std::map<std::string, std::string> params;
    std::string allowed;  // "GET, HEAD, POST": what the path takes; empty when it is unknown
  };
  Match match(std::string_view method, std::string_view path,
              const Headers* headers = nullptr) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace strata::api
