// Filters of lists and dicts.
#include <algorithm>
#include <array>
#include <unordered_set>

#include "core/error.h"
#include "models/chat/jinja/builtins.h"
#include "models/chat/jinja/interpreter.h"
#include "models/chat/jinja/operations.h"
#include "models/chat/jinja/printing.h"
#include "models/chat/jinja/text_functions.h"

namespace strata::models::jinja {
namespace {

Value iterator_of(const ListPtr& list) {
  return Value(ObjectPtr(std::make_shared<Iterator>(list)));
}

Value iterator_over(Meter& meter, Values items, bool outside) {
  return iterator_of(make_list(meter, std::move(items), false, outside).list());
}

Value without_case(Meter& meter, const Value& value, bool case_sensitive) {
  return value.is_text() && !case_sensitive ? Value(lower_text(meter, *value.text())) : value;
}

// Sorted places of the keys, stable.
std::vector<size_t> order(Meter& meter, const Values& keys, bool reverse) {
  std::vector<size_t> places(keys.size());
  for (size_t i = 0; i < places.size(); ++i) places[i] = i;
  std::stable_sort(places.begin(), places.end(), [&](size_t a, size_t b) {
    return reverse ? less(meter, keys[b], keys[a]) : less(meter, keys[a], keys[b]);
  });
  return places;
}

Value list(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "list", args, {});
  const auto items = iterate(in.meter(), self);
  if (!items->is_tuple) return Value(items);
  return make_list(in.meter(), items->items, false, items->outside);
}

Value items(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "items", args, {});
  if (self.is_undefined()) return iterator_over(in.meter(), {}, false);
  if (!self.is_dict()) in.meter().fail("can only get item pairs from a mapping");
  return iterator_of(dict_pairs(in.meter(), *self.dict()));
}

Value dictsort(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "dictsort", args, {"case_sensitive", "by", "reverse"});
  if (self.is_undefined()) fail_undefined(meter, self);
  if (!self.is_dict()) meter.fail(fmt::format("dictsort of a '{}'", type_name(self)));
  const auto by = bound.has(1) ? std::string(bound.text(1)->view()) : std::string("key");
  if (by != "key" && by != "value") meter.fail("dictsort goes by \"key\" or by \"value\"");
  const auto pairs = dict_pairs(meter, *self.dict());
  Values keys;
  for (const auto& pair : pairs->items) {
    keys.push_back(
        without_case(meter, pair.list()->items[by == "key" ? 0 : 1], bound.flag(0, false)));
  }
  Values sorted;
  for (const size_t i : order(meter, keys, bound.flag(2, false))) sorted.push_back(pairs->items[i]);
  return make_list(meter, std::move(sorted), false, self.dict()->outside);
}

// Several attributes, separated by commas, compare one after the other.
Value sort_key(Meter& meter, const Value& item, const Bound& bound, size_t attribute,
               bool case_sensitive) {
  if (bound.none_or_absent(attribute)) return without_case(meter, item, case_sensitive);
  const Value& path = bound[attribute];
  if (!path.is_text()) {
    return without_case(meter, get_by_path(meter, item, path), case_sensitive);
  }
  Values keys;
  std::string_view rest = path.view();
  for (;;) {
    const size_t comma = rest.find(',');
    const Value part = text_value(meter, rest.substr(0, comma));
    keys.push_back(without_case(meter, get_by_path(meter, item, part), case_sensitive));
    if (comma == rest.npos) break;
    rest.remove_prefix(comma + 1);
  }
  return make_list(meter, std::move(keys));
}

Value sort(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "sort", args, {"reverse", "case_sensitive", "attribute"});
  const auto all = iterate(meter, self);
  Values keys;
  for (const auto& item : all->items) {
    keys.push_back(sort_key(meter, item, bound, 2, bound.flag(1, false)));
  }
  Values sorted;
  for (const size_t i : order(meter, keys, bound.flag(0, false))) sorted.push_back(all->items[i]);
  return make_list(meter, std::move(sorted), false, all->outside);
}

Value unique(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "unique", args, {"case_sensitive", "attribute"});
  const auto all = iterate(meter, self);
  std::unordered_set<std::string> seen;
  Values kept;
  size_t held = 0;
  for (const auto& item : all->items) {
    const Value part = bound.none_or_absent(1) ? item : get_by_path(meter, item, bound[1]);
    auto key = hash_key(meter, without_case(meter, part, bound.flag(0, false)));
    meter.hold(key.size() + 64);
    held += key.size() + 64;
    if (seen.insert(std::move(key)).second) kept.push_back(item);
  }
  meter.release(held);
  return iterator_over(meter, std::move(kept), all->outside);
}

template <bool greatest>
Value extreme(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, greatest ? "max" : "min", args, {"case_sensitive", "attribute"});
  const auto all = iterate(meter, self);
  if (all->items.empty()) return undefined_because("No aggregated item, sequence was empty.");
  const auto key = [&](const Value& item) {
    const Value part = bound.none_or_absent(1) ? item : get_by_path(meter, item, bound[1]);
    return without_case(meter, part, bound.flag(0, false));
  };
  size_t best = 0;
  Value best_key = key(all->items[0]);
  for (size_t i = 1; i < all->items.size(); ++i) {
    Value candidate = key(all->items[i]);
    const bool better =
        greatest ? less(meter, best_key, candidate) : less(meter, candidate, best_key);
    if (!better) continue;
    best = i;
    best_key = std::move(candidate);
  }
  return all->items[best];
}

Value first(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "first", args, {});
  if (auto* iterator = self.as<Iterator>()) {
    if (iterator->next < iterator->items->items.size()) {
      return iterator->items->items[iterator->next++];
    }
    return undefined_because("No first item, sequence was empty.");
  }
  const auto all = iterate(in.meter(), self);
  if (all->items.empty()) return undefined_because("No first item, sequence was empty.");
  return all->items.front();
}

Value last(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "last", args, {});
  if (self.as<Iterator>() != nullptr) in.meter().fail("'generator' object is not reversible");
  const auto all = iterate(in.meter(), self);
  if (all->items.empty()) return undefined_because("No last item, sequence was empty.");
  return all->items.back();
}

Value reverse(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "reverse", args, {});
  if (self.is_text()) {
    return get_slice(meter, self, Value(None{}), Value(None{}), Value(Integer{-1}));
  }
  const auto all = iterate(meter, self);
  Values reversed(all->items.rbegin(), all->items.rend());
  if (self.as<Iterator>() != nullptr) {
    return make_list(meter, std::move(reversed), false, all->outside);
  }
  return iterator_over(meter, std::move(reversed), all->outside);
}

Value batch(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "batch", args, {"linecount", "fill_with"}, 1);
  const size_t size = bound.count(0, 1, meter.limits().max_range_items);
  const auto all = iterate(meter, self);
  Values rows;
  Values row;
  for (const auto& item : all->items) {
    if (row.size() == size) {
      rows.push_back(make_list(meter, std::move(row), false, all->outside));
      row.clear();
    }
    row.push_back(item);
  }
  if (!row.empty()) {
    if (!bound.none_or_absent(1)) {
      meter.step(size);
      while (row.size() < size) row.push_back(bound[1]);
    }
    rows.push_back(make_list(meter, std::move(row), false, all->outside));
  }
  return iterator_over(meter, std::move(rows), all->outside);
}

Value slice(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "slice", args, {"slices", "fill_with"}, 1);
  const size_t slices = bound.count(0, 1, meter.limits().max_range_items);
  if (slices == 0) meter.fail("integer division or modulo by zero");
  const auto all = iterate(meter, self);
  const size_t each = all->items.size() / slices;
  const size_t longer = all->items.size() % slices;
  Values parts;
  size_t at = 0;
  for (size_t i = 0; i < slices; ++i) {
    meter.step();
    const size_t count = each + (i < longer ? 1 : 0);
    const auto begin = all->items.begin() + static_cast<std::ptrdiff_t>(at);
    Values part(begin, begin + static_cast<std::ptrdiff_t>(count));
    if (!bound.none_or_absent(1) && i >= longer) part.push_back(bound[1]);
    parts.push_back(make_list(meter, std::move(part), false, all->outside));
    at += count;
  }
  return iterator_over(meter, std::move(parts), all->outside);
}

Value groupby(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "groupby", args, {"attribute", "default", "case_sensitive"}, 1);
  const auto all = iterate(meter, self);
  const Value* fallback = bound.none_or_absent(1) ? nullptr : &bound[1];
  Values plain;
  Values keys;
  for (const auto& item : all->items) {
    plain.push_back(get_by_path(meter, item, bound[0], fallback));
    keys.push_back(without_case(meter, plain.back(), bound.flag(2, false)));
  }
  const auto places = order(meter, keys, false);
  Values groups;
  for (size_t i = 0; i < places.size();) {
    const Value& key = plain[places[i]];
    const Value& sorted_by = keys[places[i]];
    Values members;
    for (; i < places.size() && equals(meter, keys[places[i]], sorted_by); ++i) {
      members.push_back(all->items[places[i]]);
    }
    groups.push_back(make_group(meter, key, make_list(meter, std::move(members))));
  }
  return make_list(meter, std::move(groups));
}

std::optional<Value> take_named(Args& args, std::string_view name) {
  for (auto place = args.named.begin(); place != args.named.end(); ++place) {
    if (place->first != name) continue;
    Value value = place->second;
    args.named.erase(place);
    return value;
  }
  return {};
}

Value map(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  Values mapped;
  if (args.positional.empty()) {
    const auto attribute = take_named(args, "attribute");
    const auto fallback = take_named(args, "default");
    if (!attribute) meter.fail("map requires a filter argument");
    if (!args.named.empty()) {
      meter.fail(fmt::format("unexpected keyword argument '{}'", args.named[0].first));
    }
    const bool has_fallback = fallback && !fallback->is_none();
    const auto all = iterate(meter, self);
    for (const auto& item : all->items) {
      mapped.push_back(get_by_path(meter, item, *attribute, has_fallback ? &*fallback : nullptr));
    }
    return iterator_over(meter, std::move(mapped), all->outside);
  }
  const Value name = args.positional.front();
  if (!name.is_text()) meter.fail("map needs the name of a filter");
  const auto all = iterate(meter, self);
  for (const auto& item : all->items) {
    Args rest;
    rest.positional.assign(args.positional.begin() + 1, args.positional.end());
    rest.named = args.named;
    mapped.push_back(in.call_filter(name.view(), item, rest));
  }
  return iterator_over(meter, std::move(mapped), all->outside);
}

template <bool keep, bool by_attribute>
Value select(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  constexpr size_t kOffset = by_attribute ? 1 : 0;
  if (!truthy(self)) return iterator_over(meter, {}, false);
  if (args.positional.size() < kOffset) meter.fail("missing parameter for attribute name");
  const bool has_test = args.positional.size() > kOffset;
  if (has_test && !args.positional[kOffset].is_text()) meter.fail("the name of a test is needed");
  const auto all = iterate(meter, self);
  Values kept;
  for (const auto& item : all->items) {
    meter.step();
    const Value subject = by_attribute ? get_by_path(meter, item, args.positional[0]) : item;
    bool passes = false;
    if (has_test) {
      Args rest;
      rest.positional.assign(args.positional.begin() + kOffset + 1, args.positional.end());
      rest.named = args.named;
      passes = in.call_test(args.positional[kOffset].view(), subject, rest);
    } else {
      passes = truthy(subject);
    }
    if (passes == keep) kept.push_back(item);
  }
  return iterator_over(meter, std::move(kept), all->outside);
}

Value attr(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "attr", args, {"name"}, 1);
  const auto name = bound.text(0);
  if (auto value = attribute_of(meter, self, name->view())) return *value;
  return undefined_attribute(self, name->view());
}

constexpr auto kFilters = std::to_array<Builtin>({
    {"list", list},
    {"items", items},
    {"dictsort", dictsort},
    {"sort", sort},
    {"unique", unique},
    {"min", extreme<false>},
    {"max", extreme<true>},
    {"first", first},
    {"last", last},
    {"reverse", reverse},
    {"batch", batch},
    {"slice", slice},
    {"groupby", groupby},
    {"map", map},
    {"select", select<true, false>},
    {"reject", select<false, false>},
    {"selectattr", select<true, true>},
    {"rejectattr", select<false, true>},
    {"attr", attr},
});

}  // namespace

Builtins list_filters() {
  return kFilters;
}

ListPtr dict_pairs(Meter& meter, const Dict& dict) {
  Values pairs;
  pairs.reserve(dict.size());
  for (const auto& [key, value] : dict.items()) {
    meter.step();
    pairs.push_back(make_list(meter, {key, value}, true, dict.outside));
  }
  return make_list(meter, std::move(pairs), false, dict.outside).list();
}

Value get_by_path(Meter& meter, const Value& item, const Value& path, const Value* fallback) {
  if (!path.is_text()) {
    Value value = get_item(meter, item, path);
    return value.is_undefined() && fallback != nullptr ? *fallback : value;
  }
  Value value = item;
  std::string_view rest = path.view();
  for (;;) {
    meter.step();
    const size_t dot = rest.find('.');
    const auto part = rest.substr(0, dot);
    const bool digits =
        !part.empty() && part.size() < 18 && part.find_first_not_of("0123456789") == part.npos;
    const Value key = digits ? Value(static_cast<Integer>(std::stoll(std::string(part))))
                             : text_value(meter, part);
    value = get_item(meter, value, key);
    if (value.is_undefined() && fallback != nullptr) value = *fallback;
    if (dot == rest.npos) return value;
    rest.remove_prefix(dot + 1);
  }
}

}  // namespace strata::models::jinja
