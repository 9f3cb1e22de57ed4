// config.json of a model, read with checks; what was read is remembered, so that what changes the
// answers and was not read can be refused.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace strata::models {

class HfConfig {
 public:
  // Of a model with several parts (text_config), the part that writes text. `config` must outlive
  // this.
  explicit HfConfig(const json::object& config);

  const std::string& architecture() const { return architecture_; }  // a class of transformers
  // Values of fields that the class has where neither part names them, be it as null.
  void set_defaults(json::object defaults) { defaults_ = std::move(defaults); }
  bool has_default(std::string_view name) const { return defaults_.contains(name); }
  // Below, `names` are the field's names, the first one present counts; null is absent.
  // Error{invalid_argument} with the field: a value of another kind, out of range, or missing.
  const json::value* find(std::initializer_list<std::string_view> names) const;
  const json::value* find(std::string_view name) const { return find({name}); }
  std::optional<int64_t> integer(std::initializer_list<std::string_view> names) const;
  std::optional<int64_t> integer(std::string_view name) const { return integer({name}); }
  int64_t need_integer(std::initializer_list<std::string_view> names) const;
  std::optional<double> number(std::initializer_list<std::string_view> names) const;
  std::optional<double> number(std::string_view name) const { return number({name}); }
  std::optional<bool> flag(std::string_view name) const;
  std::optional<std::string> text(std::initializer_list<std::string_view> names) const;
  std::optional<std::string> text(std::string_view name) const { return text({name}); }
  std::vector<std::string> texts(std::string_view name) const;  // empty: absent
  std::vector<int64_t> integers(std::string_view name) const;   // empty: absent
  const json::object* object(std::string_view name) const;

  // Error{unimplemented} when a field that changes the formula has not been read and is not what
  // changes nothing.
  void refuse_unread() const;

 private:
  const json::object& config_;
  const json::object* text_;
  json::object defaults_;
  std::string architecture_;
  mutable std::set<std::string, std::less<>> read_;
};

// The same look-ups in an object inside it; `where` names it in errors.
std::optional<double> number_in(const json::object& object, std::string_view name,
                                std::string_view where);
std::optional<bool> flag_in(const json::object& object, std::string_view name,
                            std::string_view where);
// Error{invalid_argument} also when it is absent.
std::vector<float> numbers_in(const json::object& object, std::string_view name,
                              std::string_view where);
std::optional<std::string> text_in(const json::object& object, std::string_view name,
                                   std::string_view where);

}  // namespace strata::models
