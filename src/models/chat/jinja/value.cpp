#include "models/chat/jinja/value.h"

#include <cmath>

#include "core/error.h"

namespace strata::models::jinja {
namespace {

constexpr size_t kIndexFrom = 12;  // fewer keys are compared one by one

void check_depth(const Meter& meter, size_t depth) {
  if (depth > meter.limits().max_depth) {
    meter.exhausted(fmt::format("values nested deeper than {}", meter.limits().max_depth));
  }
}

}  // namespace

Integer Value::integer() const {
  if (is_bool()) return boolean() ? 1 : 0;
  const auto& words = *std::get_if<Int128>(&v_);
  return static_cast<Integer>(words.high) * (static_cast<Integer>(1) << 64) +
         static_cast<Integer>(words.low);
}

double Value::as_double() const {
  return is_float() ? floating() : static_cast<double>(integer());
}

size_t Value::depth() const {
  if (is_list()) return list()->depth;
  if (is_dict()) return dict()->depth();
  if (is_object()) return object()->depth;
  return 0;
}

void Dict::put(Value key, Value value) {
  const size_t at = position(key);
  depth_ = std::max({depth_, 1 + key.depth(), 1 + value.depth()});
  check_depth(meter_, depth_);
  if (at < items_.size()) {
    items_[at].second = std::move(value);
    return;
  }
  meter_.hold(sizeof(Item) + 16);
  held_ += sizeof(Item) + 16;
  items_.emplace_back(std::move(key), std::move(value));
  if (items_.size() < kIndexFrom) return;
  const size_t first = index_.empty() ? 0 : items_.size() - 1;
  for (size_t i = first; i < items_.size(); ++i) {
    auto text = hash_key(meter_, items_[i].first);
    meter_.hold(text.size() + 64);
    held_ += text.size() + 64;
    index_.emplace(std::move(text), i);
  }
}

size_t Dict::position_among_few(std::string_view key) const {
  for (size_t i = 0; i < items_.size(); ++i) {
    const Value& own = items_[i].first;
    if (!own.is_text() || own.view().size() != key.size()) continue;
    meter_.step_bytes(key.size());
    if (own.view() == key) return i;
  }
  return items_.size();
}

size_t Dict::position(const Value& key) const {
  if (index_.empty() && key.is_text()) return position_among_few(key.view());
  const auto wanted = hash_key(meter_, key);
  if (!index_.empty()) {
    const auto found = index_.find(wanted);
    return found == index_.end() ? items_.size() : found->second;
  }
  for (size_t i = 0; i < items_.size(); ++i) {
    if (hash_key(meter_, items_[i].first) == wanted) return i;
  }
  return items_.size();
}

const Value* Dict::find(const Value& key) const {
  const size_t at = position(key);
  return at < items_.size() ? &items_[at].second : nullptr;
}

const Value* Dict::find(std::string_view key) const {
  size_t at = items_.size();
  if (index_.empty()) {
    at = position_among_few(key);
  } else {
    meter_.step_bytes(key.size());
    const auto found = index_.find("s" + std::string(key));
    if (found != index_.end()) at = found->second;
  }
  return at < items_.size() ? &items_[at].second : nullptr;
}

namespace {

Value make_sequence(Meter& meter, Values items, List::Kind kind, bool outside) {
  size_t depth = 0;
  for (const auto& item : items) depth = std::max(depth, item.depth());
  check_depth(meter, depth + 1);
  meter.step(1 + items.size() / 16);
  const size_t bytes = sizeof(List) + 32 + items.capacity() * sizeof(Value);
  meter.hold(bytes);
  return Value(
      std::make_shared<const List>(std::move(items), kind, outside, depth + 1, &meter, bytes));
}

}  // namespace

Value make_list(Meter& meter, Values items, bool is_tuple, bool outside) {
  const auto kind = is_tuple ? List::Kind::tuple : List::Kind::list;
  return make_sequence(meter, std::move(items), kind, outside);
}

Value make_tuple(Meter& meter, Values items) {
  return make_list(meter, std::move(items), true);
}

Value make_group(Meter& meter, Value key, Value members) {
  return make_sequence(meter, {std::move(key), std::move(members)}, List::Kind::group, false);
}

Value text_value(Meter& meter, std::string_view bytes, bool outside) {
  return Value(make_text(meter, bytes, outside));
}

Value int_value(size_t n) {
  return Value(static_cast<Integer>(n));
}

Value from_json(Meter& meter, const json::value& value) {
  meter.step();
  switch (value.kind()) {
    case json::kind::null:
      return Value(None{});
    case json::kind::bool_:
      return Value(value.get_bool(), true);
    case json::kind::int64:
      return Value(static_cast<Integer>(value.get_int64()), true);
    case json::kind::uint64:
      return Value(static_cast<Integer>(value.get_uint64()), true);
    case json::kind::double_:
      return Value(value.get_double(), true);
    case json::kind::string:
      return text_value(meter, {value.get_string().data(), value.get_string().size()}, true);
    case json::kind::array: {
      Values items;
      items.reserve(value.get_array().size());
      for (const auto& item : value.get_array()) items.push_back(from_json(meter, item));
      return make_list(meter, std::move(items), false, true);
    }
    case json::kind::object: {
      auto dict = std::make_shared<Dict>(meter, true);
      for (const auto& member : value.get_object()) {
        dict->put(text_value(meter, {member.key().data(), member.key().size()}, true),
                  from_json(meter, member.value()));
      }
      return Value(DictPtr(std::move(dict)));
    }
  }
  return Value(None{});
}

namespace {

// No meter counts what an undefined value remembers.
std::string shown_name(std::string_view name) {
  return shortened(name, 100);
}

}  // namespace

Value undefined_variable(std::string_view name) {
  return Value(
      Undefined{std::make_shared<const Absence>(Absence{"", shown_name(name), "", false})});
}

Value undefined_attribute(const Value& owner, std::string_view name, bool unsafe) {
  return Value(Undefined{std::make_shared<const Absence>(
      Absence{"", shown_name(name), std::string(type_name(owner)), unsafe})});
}

Value undefined_because(std::string_view hint) {
  return Value(
      Undefined{std::make_shared<const Absence>(Absence{shortened(hint, 200), "", "", false})});
}

void fail_undefined(Meter& meter, const Value& undefined) {
  const auto& why = undefined.undefined().why;
  if (!why) meter.fail("the value is undefined");
  if (!why->hint.empty()) meter.fail(why->hint);
  if (why->unsafe) {
    meter.fail(fmt::format("access to attribute '{}' of '{}' object is unsafe and refused",
                           why->name, why->owner));
  }
  if (why->owner.empty()) meter.fail(fmt::format("'{}' is undefined", why->name));
  meter.fail(fmt::format("'{} object' has no attribute '{}'", why->owner, why->name));
}

std::string_view type_name(const Value& value) {
  if (value.is_undefined()) return "Undefined";
  if (value.is_none()) return "NoneType";
  if (value.is_bool()) return "bool";
  if (value.is_int()) return "int";
  if (value.is_float()) return "float";
  if (value.is_text()) return value.text()->markup() ? "Markup" : "str";
  if (value.is_list()) return value.list()->is_tuple ? "tuple" : "list";
  if (value.is_dict()) return "dict";
  return value.object()->type_name();
}

std::string hash_key(Meter& meter, const Value& value) {
  meter.step();
  if (value.is_text()) {
    meter.step_bytes(value.view().size());
    return "s" + std::string(value.view());
  }
  if (value.is_number()) {
    if (value.is_float()) {
      const double d = value.floating();
      if (std::trunc(d) != d || std::fabs(d) > 1e18) return fmt::format("f{}", d);
      return fmt::format("i{}", static_cast<int64_t>(d));
    }
    return fmt::format("i{}", value.integer());
  }
  if (value.is_none()) return "n";
  if (value.is_undefined()) return "u";
  if (value.is_list() && value.list()->is_tuple) {
    std::string key = "t";
    for (const auto& item : value.list()->items) {
      const auto part = hash_key(meter, item);
      key += fmt::format("{}:", part.size()) + part;
      meter.step_bytes(part.size());
      meter.check_text_size(key.size());
    }
    return key;
  }
  if (value.is_object()) {
    return fmt::format("o{}", static_cast<const void*>(value.object().get()));
  }
  meter.fail(fmt::format("unhashable type: '{}'", type_name(value)));
}

}  // namespace strata::models::jinja
