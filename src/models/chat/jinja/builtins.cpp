#include "models/chat/jinja/builtins.h"

#include <algorithm>
#include <unordered_map>

#include "core/error.h"
#include "models/chat/jinja/operations.h"
#include "models/chat/jinja/printing.h"

namespace strata::models::jinja {
namespace {

using Table = std::unordered_map<std::string_view, const Builtin*>;

Table joined(std::initializer_list<Builtins> parts) {
  Table table;
  for (const auto part : parts) {
    for (const auto& builtin : part) table.emplace(builtin.name, &builtin);
  }
  return table;
}

const Builtin* look_up(const Table& table, std::string_view name) {
  const auto found = table.find(name);
  return found == table.end() ? nullptr : found->second;
}

}  // namespace

const Builtin* find_filter(std::string_view name) {
  static const Table table = joined({text_filters(), list_filters(), number_filters()});
  return look_up(table, name);
}

const Builtin* find_test(std::string_view name) {
  static const Table table = joined({tests_of_kind()});
  return look_up(table, name);
}

const Builtin* find_method(const Value& object, std::string_view name) {
  static const Table text = joined({text_methods()});
  static const Table list = joined({list_methods()});
  static const Table dict = joined({dict_methods()});
  static const Table loop = joined({loop_methods()});
  static const Table cycler = joined({cycler_methods()});
  static const Table floating = joined({float_methods()});
  if (object.is_text()) return look_up(text, name);
  if (object.is_dict()) return look_up(dict, name);
  if (object.is_list() || object.as<Range>() != nullptr) return look_up(list, name);
  if (object.is_float()) return look_up(floating, name);
  if (object.as<Loop>() != nullptr) return look_up(loop, name);
  if (object.as<Cycler>() != nullptr) return look_up(cycler, name);
  return nullptr;
}

std::string to_text_key(Meter& meter, const Value& key) {
  if (key.is_list() || key.is_dict() || key.is_object()) return std::string(type_name(key));
  return std::string(to_text(meter, key)->view());
}

Bound::Bound(Meter& meter, std::string_view function, const Args& args,
             std::initializer_list<std::string_view> names, size_t required)
    : meter_(meter), function_(function), names_(names), values_(names.size(), nullptr) {
  if (args.positional.size() > names.size()) {
    meter.fail(fmt::format("{}() takes at most {} arguments, {} given", function, names.size(),
                           args.positional.size()));
  }
  for (size_t i = 0; i < args.positional.size(); ++i) values_[i] = &args.positional[i];
  for (const auto& [name, value] : args.named) {
    const auto place = std::find(names_.begin(), names_.end(), name);
    if (place == names_.end()) {
      meter.fail(fmt::format("{}() got an unexpected keyword argument '{}'", function, name));
    }
    auto& slot = values_[static_cast<size_t>(place - names_.begin())];
    if (slot != nullptr) {
      meter.fail(fmt::format("{}() got multiple values for argument '{}'", function, name));
    }
    slot = &value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (values_[i] == nullptr) {
      meter.fail(fmt::format("{}() is missing its argument '{}'", function, names_[i]));
    }
  }
}

bool Bound::flag(size_t i, bool fallback) const {
  return has(i) ? truthy(*values_[i]) : fallback;
}

Integer Bound::integer(size_t i, Integer fallback) const {
  if (!has(i)) return fallback;
  const auto& value = *values_[i];
  if (value.is_undefined()) fail_undefined(meter_, value);
  if (!value.is_integral()) {
    meter_.fail(fmt::format("{}(): '{}' must be an integer, not '{}'", function_, names_[i],
                            type_name(value)));
  }
  return value.integer();
}

size_t Bound::count(size_t i, size_t fallback, size_t limit) const {
  const Integer value = integer(i, static_cast<Integer>(fallback));
  if (value < 0 || value > static_cast<Integer>(limit)) {
    meter_.exhausted(
        fmt::format("{}(): '{}' is {}, allowed are 0 to {}", function_, names_[i], value, limit));
  }
  return static_cast<size_t>(value);
}

TextPtr Bound::text(size_t i) const {
  const auto& value = *values_[i];
  if (value.is_undefined()) fail_undefined(meter_, value);
  if (!value.is_text()) {
    meter_.fail(fmt::format("{}(): '{}' must be a string, not '{}'", function_, names_[i],
                            type_name(value)));
  }
  return value.text();
}

}  // namespace strata::models::jinja
