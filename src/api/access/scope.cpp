#include "api/access/scope.h"

#include <algorithm>
#include <array>

#include "core/error.h"

namespace strata::api {
namespace {

constexpr std::array<std::string_view, 5> kNames{"open", "inference", "metrics", "models", "admin"};

}  // namespace

std::string_view name(Scope scope) {
  return kNames[static_cast<size_t>(scope)];
}

Scope parse_scope(std::string_view text) {
  for (size_t i = 1; i < kNames.size(); ++i) {
    if (kNames[i] == text) return static_cast<Scope>(i);
  }
  throw Error(Code::invalid_argument, fmt::format("there is no scope '{}'", text),
              "scopes are inference, metrics, models and admin");
}

bool holds(const std::vector<Scope>& scopes, Scope wanted) {
  return wanted == Scope::open || std::ranges::any_of(scopes, [&](Scope scope) {
           return scope == wanted || scope == Scope::admin;
         });
}

std::vector<Scope> parse_scopes(std::string_view text) {
  std::vector<Scope> scopes;
  while (true) {
    const std::string_view one = text.substr(0, text.find(','));
    const Scope scope = parse_scope(one);
    if (std::ranges::find(scopes, scope) == scopes.end()) scopes.push_back(scope);
    if (one.size() == text.size()) return scopes;
    text.remove_prefix(one.size() + 1);
  }
}

std::string to_text(const std::vector<Scope>& scopes) {
  std::string text;
  for (const Scope scope : scopes) {
    if (!text.empty()) text += ',';
    text += name(scope);
  }
  return text;
}

}  // namespace strata::api
