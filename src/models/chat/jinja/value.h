// The values of the template language, with Python's meaning: immutable numbers, text, lists,
// tuples and dicts, and a few objects (namespace, loop, macro, range, iterator, …).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "core/json.h"
#include "models/chat/jinja/text.h"

namespace strata::models::jinja {

__extension__ typedef __int128 Integer;  // Python's are unbounded; what does not fit is an error

class List;
class Dict;
struct Object;
using ListPtr = std::shared_ptr<const List>;
using DictPtr = std::shared_ptr<const Dict>;
using ObjectPtr = std::shared_ptr<Object>;

// Why a value is undefined; told when it is used.
struct Absence {
  std::string hint;   // the whole message, or empty
  std::string name;   // what was looked for
  std::string owner;  // type of the object that lacks it; empty: a variable
  bool unsafe = false;
};

struct Undefined {
  std::shared_ptr<const Absence> why;
};
struct None {};
struct Int128 {  // two words, so that a Value is aligned to 8
  uint64_t low;
  int64_t high;
};

class Value {
 public:
  Value() = default;  // undefined
  explicit Value(None) : v_(None{}) {}
  explicit Value(bool b, bool outside = false) : v_(b), outside_(outside) {}
  explicit Value(Integer i, bool outside = false)
      : v_(Int128{static_cast<uint64_t>(i), static_cast<int64_t>(i >> 64)}), outside_(outside) {}
  explicit Value(double d, bool outside = false) : v_(d), outside_(outside) {}
  explicit Value(TextPtr text) : v_(std::move(text)) {}
  explicit Value(ListPtr list) : v_(std::move(list)) {}
  explicit Value(DictPtr dict) : v_(std::move(dict)) {}
  explicit Value(ObjectPtr object) : v_(std::move(object)) {}
  explicit Value(Undefined undefined) : v_(std::move(undefined)) {}
  explicit Value(const char*) = delete;

  bool is_undefined() const { return std::holds_alternative<Undefined>(v_); }
  bool is_none() const { return std::holds_alternative<None>(v_); }
  bool is_bool() const { return std::holds_alternative<bool>(v_); }
  bool is_int() const { return std::holds_alternative<Int128>(v_); }  // not a bool
  bool is_float() const { return std::holds_alternative<double>(v_); }
  bool is_number() const { return is_int() || is_float() || is_bool(); }
  bool is_integral() const { return is_int() || is_bool(); }
  bool is_text() const { return std::holds_alternative<TextPtr>(v_); }
  bool is_list() const { return std::holds_alternative<ListPtr>(v_); }  // or tuple
  bool is_dict() const { return std::holds_alternative<DictPtr>(v_); }
  bool is_object() const { return std::holds_alternative<ObjectPtr>(v_); }

  // Preconditions: the kind fits.
  const Undefined& undefined() const { return *std::get_if<Undefined>(&v_); }
  bool boolean() const { return *std::get_if<bool>(&v_); }
  Integer integer() const;  // of an int or a bool
  double floating() const { return *std::get_if<double>(&v_); }
  double as_double() const;  // of any number
  const TextPtr& text() const { return *std::get_if<TextPtr>(&v_); }
  std::string_view view() const { return text()->view(); }
  const ListPtr& list() const { return *std::get_if<ListPtr>(&v_); }
  const DictPtr& dict() const { return *std::get_if<DictPtr>(&v_); }
  const ObjectPtr& object() const { return *std::get_if<ObjectPtr>(&v_); }
  template <typename T>
  T* as() const;  // the object of this type, or null

  bool outside() const { return outside_; }  // of numbers; text knows by its bytes
  size_t depth() const;                      // nesting of lists, dicts and objects

 private:
  std::variant<Undefined, None, bool, Int128, double, TextPtr, ListPtr, DictPtr, ObjectPtr> v_;
  bool outside_ = false;
};

using Values = std::vector<Value>;

// A list or a tuple. Nesting and memory are checked by make_list.
class List {
 public:
  enum class Kind : uint8_t { list, tuple, group };
  List(Values list, Kind kind, bool from_outside, size_t nesting, Meter* meter, size_t held)
      : items(std::move(list)),
        is_tuple(kind != Kind::list),
        is_group(kind == Kind::group),
        outside(from_outside),
        depth(nesting),
        meter_(meter),
        held_(held) {}
  ~List() {
    if (meter_ != nullptr) meter_->release(held_);
  }
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  const Values items;
  const bool is_tuple;
  const bool is_group;  // a tuple of groupby: its parts are also called grouper and list
  const bool outside;   // its punctuation, when it is printed, came from outside
  const size_t depth;

 private:
  Meter* meter_;
  size_t held_;
};

// In order of insertion.
class Dict {
 public:
  using Item = std::pair<Value, Value>;
  Dict(Meter& meter, bool from_outside) : outside(from_outside), meter_(meter) {}
  ~Dict() { meter_.release(held_); }
  Dict(const Dict&) = delete;
  Dict& operator=(const Dict&) = delete;

  // While it is being built. The last value of a key wins and keeps the first one's place.
  void put(Value key, Value value);
  const Value* find(const Value& key) const;  // fails on a key that cannot be hashed
  const Value* find(std::string_view key) const;
  const std::vector<Item>& items() const { return items_; }
  size_t size() const { return items_.size(); }
  size_t depth() const { return depth_; }

  const bool outside;

 private:
  size_t position(const Value& key) const;
  size_t position_among_few(std::string_view key) const;  // index_ is empty; items_.size(): none

  Meter& meter_;
  std::vector<Item> items_;
  std::unordered_map<std::string, size_t> index_;  // once there are more than a few keys
  size_t depth_ = 1;
  size_t held_ = 0;
};

struct Object {
  explicit Object(size_t nesting = 1) : depth(nesting) {}
  virtual ~Object() = default;
  virtual std::string_view type_name() const = 0;
  // Lets go of what may refer back to it; called at the end of a rendering.
  virtual void drop() {}
  const size_t depth;
};

template <typename T>
T* Value::as() const {
  return is_object() ? dynamic_cast<T*>(object().get()) : nullptr;
}

Value make_list(Meter& meter, Values items, bool is_tuple = false, bool outside = false);
Value make_tuple(Meter& meter, Values items);
Value make_group(Meter& meter, Value key, Value members);  // of groupby
Value text_value(Meter& meter, std::string_view bytes, bool outside = false);
Value int_value(size_t n);
// Everything in it marked as from outside.
Value from_json(Meter& meter, const json::value& value);

Value undefined_variable(std::string_view name);
Value undefined_attribute(const Value& owner, std::string_view name, bool unsafe = false);
Value undefined_because(std::string_view hint);
[[noreturn]] void fail_undefined(Meter& meter, const Value& undefined);

std::string_view type_name(const Value& value);  // Python's: "str", "int", "list", …
// A text equal for equal values: what dict keys and `unique` compare. Fails on lists and dicts.
std::string hash_key(Meter& meter, const Value& value);

}  // namespace strata::models::jinja
