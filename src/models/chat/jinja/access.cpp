// obj[key], obj.name and slices. Attributes that lead into the machinery of Python (__class__ and
// its like) and methods that change a list or a dict are refused, as the reference's sandbox does.
#include <algorithm>
#include <array>

#include "core/error.h"
#include "models/chat/jinja/builtins.h"
#include "models/chat/jinja/operations.h"

namespace strata::models::jinja {
namespace {

constexpr std::array<std::string_view, 8> kListChangers{"append", "clear", "pop",    "reverse",
                                                        "insert", "sort",  "extend", "remove"};
constexpr std::array<std::string_view, 5> kDictChangers{"clear", "pop", "popitem", "setdefault",
                                                        "update"};

template <size_t n>
bool among(const std::array<std::string_view, n>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_refused(const Value& object, std::string_view name) {
  if (name.size() > 4 && name.starts_with("__") && name.ends_with("__")) return true;
  if (object.is_list()) return !object.list()->is_tuple && among(kListChangers, name);
  return object.is_dict() && among(kDictChangers, name);
}

std::optional<Value> loop_attribute(const Loop& loop, std::string_view name) {
  const auto& items = loop.items->items;
  const size_t i = loop.index0;
  if (name == "index") return int_value(i + 1);
  if (name == "index0") return int_value(i);
  if (name == "revindex") return int_value(items.size() - i);
  if (name == "revindex0") return int_value(items.size() - i - 1);
  if (name == "first") return Value(i == 0);
  if (name == "last") return Value(i + 1 == items.size());
  if (name == "length") return int_value(items.size());
  if (name == "depth") return int_value(loop.depth0 + 1);
  if (name == "depth0") return int_value(loop.depth0);
  if (name == "previtem")
    return i > 0 ? items[i - 1] : undefined_because("there is no previous item");
  if (name == "nextitem") {
    return i + 1 < items.size() ? items[i + 1] : undefined_because("there is no next item");
  }
  return {};
}

std::optional<Value> macro_attribute(Meter& meter, const Macro& macro, std::string_view name) {
  const auto& definition = macro.definition;
  if (name == "name") return text_value(meter, definition.name);
  if (name == "caller") return Value(definition.uses_caller);
  if (name == "catch_kwargs") return Value(definition.uses_kwargs);
  if (name == "catch_varargs") return Value(definition.uses_varargs);
  if (name != "arguments") return {};
  Values names;
  for (const auto& parameter : definition.parameters) {
    names.push_back(text_value(meter, parameter.name));
  }
  return make_tuple(meter, std::move(names));
}

std::optional<Value> namespace_attribute(Meter& meter, const Namespace& space,
                                         std::string_view name) {
  meter.step_entries(space.attributes.size());
  for (const auto& [key, value] : space.attributes) {
    if (key == name) return value;
  }
  return {};
}

// Index of Python: negative ones count from the end. None: out of range.
std::optional<size_t> index_in(Integer index, size_t size) {
  if (index < 0) index += static_cast<Integer>(size);
  if (index < 0 || index >= static_cast<Integer>(size)) return {};
  return static_cast<size_t>(index);
}

// The item of a subscript alone; none where Python raises LookupError or TypeError.
std::optional<Value> subscript(Meter& meter, const Value& object, const Value& key) {
  if (object.is_dict()) {
    if (key.is_list() || key.is_dict()) return {};
    meter.step(1 + object.dict()->size() / 16);
    if (const auto* value = object.dict()->find(key)) return *value;
    return {};
  }
  if (!key.is_integral()) return {};
  if (object.is_list()) {
    const auto& items = object.list()->items;
    if (const auto at = index_in(key.integer(), items.size())) return items[*at];
    return {};
  }
  if (object.is_text()) {
    const auto& text = object.text();
    const auto at = index_in(key.integer(), count_characters(meter, text->view()));
    if (!at) return {};
    const size_t begin = byte_offset(meter, text->view(), *at);
    return Value(sub_text(meter, text, begin, begin + character_length(text->view(), begin)));
  }
  if (const auto* range = object.as<Range>()) {
    if (const auto at = index_in(key.integer(), range->count)) return Value(range->at(*at));
  }
  return {};
}

struct Steps {
  size_t first = 0;
  size_t count = 0;
  std::ptrdiff_t stride = 1;
};

Integer bound(Meter& meter, const Value& value, Integer absent) {
  if (value.is_none()) return absent;
  if (!value.is_integral()) {
    if (value.is_undefined()) fail_undefined(meter, value);
    meter.fail("slice indices must be integers or None");
  }
  return value.integer();
}

// As Python's slice.indices().
Steps steps_of(Meter& meter, const Value& start, const Value& stop, const Value& step,
               size_t size) {
  const auto n = static_cast<Integer>(size);
  Integer stride = bound(meter, step, 1);
  if (stride == 0) meter.fail("slice step cannot be zero");
  stride = std::clamp<Integer>(stride, -n - 1, n + 1);
  const bool forward = stride > 0;
  const Integer low = forward ? 0 : -1;
  const Integer high = forward ? n : n - 1;
  const auto limited = [&](const Value& value, Integer absent) {
    Integer at = bound(meter, value, absent);
    if (value.is_none()) return absent;
    if (at < 0) at = at < -n - 1 ? -n - 1 : at, at += n;
    return std::clamp(at, low, high);
  };
  const Integer first = limited(start, forward ? low : high);
  const Integer last = limited(stop, forward ? high : low);
  const Integer distance = forward ? last - first : first - last;
  Steps steps;
  if (distance <= 0) return steps;
  const Integer size_of_step = forward ? stride : -stride;
  steps.first = static_cast<size_t>(first);
  steps.count = static_cast<size_t>((distance + size_of_step - 1) / size_of_step);
  steps.stride = static_cast<std::ptrdiff_t>(stride);
  return steps;
}

Value text_slice(Meter& meter, const TextPtr& text, const Steps& steps) {
  const auto view = text->view();
  if (steps.stride == 1) {
    const size_t begin = byte_offset(meter, view, steps.first);
    const size_t end = begin + byte_offset(meter, view.substr(begin), steps.count);
    return Value(sub_text(meter, text, begin, steps.count == 0 ? begin : end));
  }
  meter.step_characters(view.size());
  meter.step_mapped(steps.count);
  std::vector<size_t> offsets;
  meter.hold(view.size() * sizeof(size_t));
  for (size_t at = 0; at < view.size(); at += character_length(view, at)) offsets.push_back(at);
  offsets.push_back(view.size());
  TextBuilder out(meter);
  auto at = static_cast<std::ptrdiff_t>(steps.first);
  for (size_t i = 0; i < steps.count; ++i, at += steps.stride) {
    const auto character = static_cast<size_t>(at);
    out.add(*text, offsets[character], offsets[character + 1]);
  }
  meter.release(view.size() * sizeof(size_t));
  return Value(out.finish(text->markup()));
}

}  // namespace

std::optional<Value> attribute_of(Meter& meter, const Value& object, std::string_view name) {
  if (const auto* space = object.as<Namespace>()) return namespace_attribute(meter, *space, name);
  if (object.is_undefined()) {
    const auto& why = object.undefined().why;
    if (name != "__class__" || (why && why->unsafe)) fail_undefined(meter, object);
  }
  meter.step_bytes(name.size());
  if (is_refused(object, name)) return undefined_attribute(object, name, true);
  if (const auto* method = find_method(object, name)) {
    return Value(ObjectPtr(std::make_shared<Method>(object, *method)));
  }
  if (const auto* loop = object.as<Loop>()) return loop_attribute(*loop, name);
  if (object.is_list() && object.list()->is_group) {
    if (name == "grouper") return object.list()->items[0];
    if (name == "list") return object.list()->items[1];
  }
  if (const auto* macro = object.as<Macro>()) return macro_attribute(meter, *macro, name);
  if (const auto* cycler = object.as<Cycler>(); cycler != nullptr && name == "current") {
    return cycler->items->items[cycler->position];
  }
  return {};
}

Value get_attribute(Meter& meter, const Value& object, std::string_view name) {
  if (auto value = attribute_of(meter, object, name)) return *value;
  if (object.is_dict()) {
    meter.step(1 + object.dict()->size() / 64);
    if (const auto* value = object.dict()->find(name)) return *value;
  }
  return undefined_attribute(object, name);
}

Value get_item(Meter& meter, const Value& object, const Value& key) {
  if (object.is_undefined()) fail_undefined(meter, object);
  if (auto value = subscript(meter, object, key)) return *value;
  if (!key.is_text()) return undefined_attribute(object, to_text_key(meter, key));
  if (auto value = attribute_of(meter, object, key.view())) return *value;
  return undefined_attribute(object, key.view());
}

Value get_slice(Meter& meter, const Value& object, const Value& start, const Value& stop,
                const Value& step) {
  if (object.is_undefined()) fail_undefined(meter, object);
  if (object.is_text()) {
    const size_t size = count_characters(meter, object.view());
    return text_slice(meter, object.text(), steps_of(meter, start, stop, step, size));
  }
  const bool is_range = object.as<Range>() != nullptr;
  if (!object.is_list() && !is_range) return undefined_attribute(object, "slice");
  const auto list = iterate(meter, object);
  const auto steps = steps_of(meter, start, stop, step, list->items.size());
  Values items;
  meter.step(steps.count / 8);
  items.reserve(steps.count);
  auto at = static_cast<std::ptrdiff_t>(steps.first);
  for (size_t i = 0; i < steps.count; ++i, at += steps.stride) {
    items.push_back(list->items[static_cast<size_t>(at)]);
  }
  return make_list(meter, std::move(items), list->is_tuple, list->outside);
}

}  // namespace strata::models::jinja
