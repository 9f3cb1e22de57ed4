// What Python's operators do with values. All fail through the meter, with the place.
#pragma once

#include <optional>

#include "models/chat/jinja/ast.h"
#include "models/chat/jinja/value.h"

namespace strata::models::jinja {

bool truthy(const Value& value);
bool equals(Meter& meter, const Value& left, const Value& right);
// Of <, <=, >, >=, in and their like.
bool compares(Meter& meter, Comparison kind, const Value& left, const Value& right);
// Python's <: numbers, texts, lists; fails on what has no order.
bool less(Meter& meter, const Value& left, const Value& right);
bool contains(Meter& meter, const Value& container, const Value& item);
bool same(const Value& left, const Value& right);  // Python's `is`

Value arithmetic(Meter& meter, Op op, const Value& left, const Value& right);
Value negated(Meter& meter, const Value& value, bool negative);

std::optional<size_t> length_of(Meter& meter, const Value& value);  // none: it has no length
bool is_iterable(const Value& value);
// The items: of a list itself, characters, keys, … An iterator is used up by it.
ListPtr iterate(Meter& meter, const Value& value);

// obj[key], obj.name, obj[start:stop:step] as the sandbox of the reference answers them.
Value get_item(Meter& meter, const Value& object, const Value& key);
Value get_attribute(Meter& meter, const Value& object, std::string_view name);
Value get_slice(Meter& meter, const Value& object, const Value& start, const Value& stop,
                const Value& step);
// The attribute alone, never an item of that name.
std::optional<Value> attribute_of(Meter& meter, const Value& object, std::string_view name);
struct Builtin;
const Builtin* find_method(const Value& object, std::string_view name);

Value markup_safe(Meter& meter, const Value& value);  // HTML-escaped; `safe` text stays as it is

// "%s" % value and "{}".format(…).
Value percent_format(Meter& meter, const TextPtr& format, const Value& values);
struct Args;
Value brace_format(Meter& meter, const TextPtr& format, const Args& args);
// Of one value, as format(value, spec) does; spec like ">10.2f".
void append_formatted(TextBuilder& out, Meter& meter, const Value& value, std::string_view spec);

}  // namespace strata::models::jinja
