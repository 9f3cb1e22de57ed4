// Reads a pickle as data and executes nothing. Python's pickles are programs of a stack machine
// whose opcodes may call any function; this reader knows those that build plain values, and stands
// for a call by a value that says what would be called (opcodes: CPython's pickletools.py).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace strata::models {

enum class PickleKind : uint8_t {
  none,
  boolean,
  integer,
  big_integer,  // more than 8 bytes; `text` has them, little-endian
  real,         // only that it is one
  text,
  bytes,
  tuple,
  list,
  dict,        // `items`: key, value, key, value, …
  global,      // `text`: "module.name"
  call,        // `items`: the global, its arguments (a tuple)
  persistent,  // `items`: what names an object outside of the pickle
};

struct PickleValue {
  PickleKind kind = PickleKind::none;
  int64_t integer = 0;  // also of a boolean
  std::string text;
  std::vector<uint32_t> items;  // places in Pickle::values; they may form cycles
};

struct Pickle {
  std::vector<PickleValue> values;
  uint32_t root = 0;
  size_t size = 0;  // bytes up to and with its STOP

  const PickleValue& at(uint32_t place) const { return values[place]; }
  const PickleValue& top() const { return values[root]; }
};

// `is_known` says which globals may be named. collections.OrderedDict() becomes a dict; what BUILD
// gives it as attributes is left out. `file` names the file in errors.
// Error{invalid_argument}: truncated, a stack or memo used wrongly, beyond kMaxPickle…
// (hf_limits.h). Error{unimplemented}: a global that is not known, an opcode that is none of a
// state dict's; the message has its offset.
Pickle read_pickle(std::span<const std::byte> bytes, std::string_view file,
                   bool (*is_known)(std::string_view global));

}  // namespace strata::models
