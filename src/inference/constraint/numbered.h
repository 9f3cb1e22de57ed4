// Different values by number, each once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

namespace strata::inference {

template <typename Value>
class Numbered {
 public:
  // A value that was not there is added.
  int32_t number_of(const Value& value) {
    const auto [known, is_new] = numbers_.try_emplace(value, static_cast<int32_t>(values_.size()));
    if (is_new) values_.push_back(value);
    return known->second;
  }
  const Value& operator[](size_t number) const { return values_[number]; }
  size_t size() const { return values_.size(); }
  std::span<const Value> all() const { return values_; }

 private:
  struct Hash {
    static_assert(std::has_unique_object_representations_v<Value>);
    size_t operator()(const Value& value) const {
      const std::string_view bytes(reinterpret_cast<const char*>(&value), sizeof(Value));
      return std::hash<std::string_view>()(bytes);
    }
  };

  std::vector<Value> values_;
  std::unordered_map<Value, int32_t, Hash> numbers_;
};

}  // namespace strata::inference
