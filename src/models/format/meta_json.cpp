#include "models/format/meta_json.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/bytes.h"
#include "core/error.h"
#include "models/format/gguf_part.h"

namespace strata::models {
namespace {

// f with a number of the type; it is none of string and array.
template <typename F>
auto with_number(MetaType type, const F& f) {
  switch (type) {
    case MetaType::u8:
      return f(uint8_t{0});
    case MetaType::i8:
      return f(int8_t{0});
    case MetaType::u16:
      return f(uint16_t{0});
    case MetaType::i16:
      return f(int16_t{0});
    case MetaType::u32:
      return f(uint32_t{0});
    case MetaType::i32:
      return f(int32_t{0});
    case MetaType::u64:
      return f(uint64_t{0});
    case MetaType::i64:
      return f(int64_t{0});
    case MetaType::f32:
      return f(0.0f);
    default:
      return f(0.0);
  }
}

json::value number_of(MetaType type, std::span<const std::byte> bytes) {
  if (type == MetaType::boolean) return bytes[0] != std::byte{0};
  return with_number(type, [&]<typename T>(T) {
    T number;
    std::memcpy(&number, bytes.data(), sizeof number);
    return json::value(number);
  });
}

json::string text_of(std::string_view text) {
  return json::string(text);
}

[[noreturn]] void refuse(std::string_view key, std::string_view why) {
  throw Error(Code::invalid_argument, fmt::format("'{}' {}", printable(key), why),
              "remove it, or write it as {\"type\": \"u32\", \"value\": 3}");
}

MetaType type_named(std::string_view key, const json::object& entry) {
  const json::value* name = entry.if_contains("type");
  for (uint32_t i = 0; i <= static_cast<uint32_t>(MetaType::f64); ++i) {
    if (i == static_cast<uint32_t>(MetaType::array)) continue;
    if (name != nullptr && *name == json::value(meta_type_name(i))) return MetaType{i};
  }
  refuse(key, "has a 'type' that is none of a value's");
}

template <typename T>
void append(std::vector<std::byte>& out, const T& number) {
  const auto bytes = std::as_bytes(std::span(&number, 1));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

template <typename T>
T checked(std::string_view key, const json::value& value) {
  if constexpr (std::is_floating_point_v<T>) {
    const double number = value.is_number() ? value.to_number<double>() : std::nan("");
    if (std::isfinite(static_cast<T>(number))) return static_cast<T>(number);
  } else if (value.is_uint64()) {
    if (value.get_uint64() <= std::numeric_limits<T>::max()) {
      return static_cast<T>(value.get_uint64());
    }
  } else if (value.is_int64() && std::in_range<T>(value.get_int64())) {
    return static_cast<T>(value.get_int64());
  }
  refuse(key, "has a 'value' that is not of its 'type'");
}

// Of one element; a text in an array has its length before it.
void append_value(std::string_view key, MetaType type, const json::value& value, bool counted,
                  std::vector<std::byte>& out) {
  if (type == MetaType::string) {
    if (!value.is_string()) refuse(key, "has a 'value' that is no text");
    const std::string_view text = value.get_string();
    if (counted) append(out, uint64_t{text.size()});
    const auto bytes = std::as_bytes(std::span(text));
    out.insert(out.end(), bytes.begin(), bytes.end());
  } else if (type == MetaType::boolean) {
    if (!value.is_bool()) refuse(key, "has a 'value' that is neither true nor false");
    out.push_back(std::byte{value.get_bool()});
  } else {
    with_number(type, [&]<typename T>(T) { append(out, checked<T>(key, value)); });
  }
}

}  // namespace

json::object meta_json(const MetaValue& value) {
  if (value.type == MetaType::string) {
    const auto* text = reinterpret_cast<const char*>(value.bytes.data());
    return {{"type", "string"}, {"value", text_of({text, value.bytes.size()})}};
  }
  const bool is_list = value.type == MetaType::array;
  const MetaType type = is_list ? value.element : value.type;
  json::object out{{"type", meta_type_name(static_cast<uint32_t>(type))}};
  if (!is_list) {
    out["value"] = number_of(type, value.bytes);
    return out;
  }
  json::array list;
  ByteReader reader(value.bytes);
  for (uint64_t i = 0; i < value.count; ++i) {
    if (type == MetaType::string) {
      list.emplace_back(text_of(reader.take_text(reader.read<uint64_t>(value.key), value.key)));
    } else {
      list.push_back(number_of(type, reader.take(meta_scalar_bytes(type), value.key)));
    }
  }
  out["value"] = std::move(list);
  return out;
}

void set_from_json(MadeFile& file, std::string_view key, const json::value& value) {
  const json::object* entry = value.if_object();
  const json::value* held = entry != nullptr ? entry->if_contains("value") : nullptr;
  if (held == nullptr) refuse(key, "has no 'value'");
  const MetaType type = type_named(key, *entry);
  std::vector<std::byte> bytes;
  if (!held->is_array()) {
    append_value(key, type, *held, false, bytes);
    return file.set_value({key, type, MetaType::u8, 1, bytes});
  }
  for (const json::value& one : held->get_array()) append_value(key, type, one, true, bytes);
  file.set_value({key, MetaType::array, type, held->get_array().size(), bytes});
}

}  // namespace strata::models
