// What a caller may do. A route names exactly one scope; a key has a set of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace strata::api {

enum class Scope : uint8_t {
  open,       // anybody: is the server alive
  inference,  // ask models, see which there are
  metrics,    // read the counters
  models,     // change the store: pull, create, copy, delete
  admin,      // everything
};

std::string_view name(Scope scope);
Scope parse_scope(std::string_view text);  // Error{invalid_argument} with the list
// Admin holds every scope; open is held by all.
bool holds(const std::vector<Scope>& scopes, Scope wanted);
// "inference,metrics" ↔ scopes; Error{invalid_argument}.
std::vector<Scope> parse_scopes(std::string_view text);
std::string to_text(const std::vector<Scope>& scopes);

}  // namespace strata::api
