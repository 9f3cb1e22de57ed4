// Boost.PFR walks the fields of a struct, so that none can be forgotten here.
#include "models/family/spec_equal.h"

#include <boost/pfr/core.hpp>

namespace strata::models {
namespace {

template <typename T>
bool same(const T& a, const T& b);

template <typename T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!same(a[i], b[i])) return false;
  }
  return true;
}

template <typename T>
bool same(const std::optional<T>& a, const std::optional<T>& b) {
  return a.has_value() == b.has_value() && (!a || same(*a, *b));
}

template <typename... T>
bool same(const std::variant<T...>& a, const std::variant<T...>& b) {
  if (a.index() != b.index()) return false;
  return std::visit([&b]<typename One>(const One& one) { return same(one, std::get<One>(b)); }, a);
}

template <typename T, size_t... I>
bool same_fields(const T& a, const T& b, std::index_sequence<I...>) {
  return (same(boost::pfr::get<I>(a), boost::pfr::get<I>(b)) && ...);
}

template <typename T>
bool same(const T& a, const T& b) {
  if constexpr (std::is_class_v<T> && !std::equality_comparable<T>) {
    return same_fields(a, b, std::make_index_sequence<boost::pfr::tuple_size_v<T>>());
  } else {
    return a == b;
  }
}

}  // namespace

bool same_model(const ModelSpec& a, const ModelSpec& b) {
  return same(a, b);
}

bool same_layer(const Layer& a, const Layer& b) {
  return same(a, b);
}

}  // namespace strata::models
