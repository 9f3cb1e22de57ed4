#include "core/json.h"

#include <array>
#include <charconv>
#include <cmath>

#include <fmt/core.h>

#include "core/utf8.h"

namespace strata {
namespace {

class Writer {
 public:
  explicit Writer(const JsonStyle& style) : style_(style) {}

  void write(const json::value& value, int depth) {
    switch (value.kind()) {
      case json::kind::null:
        out_ += "null";
        break;
      case json::kind::bool_:
        out_ += value.get_bool() ? "true" : "false";
        break;
      case json::kind::int64:
        out_ += fmt::format("{}", value.get_int64());
        break;
      case json::kind::uint64:
        out_ += fmt::format("{}", value.get_uint64());
        break;
      case json::kind::double_:
        out_ += json_number(value.get_double());
        break;
      case json::kind::string:
        out_ += json_quote(value.get_string(), style_.ascii_only);
        break;
      case json::kind::array:
        write_array(value.get_array(), depth);
        break;
      case json::kind::object:
        write_object(value.get_object(), depth);
        break;
    }
  }

  std::string take() { return std::move(out_); }

 private:
  void write_array(const json::array& array, int depth) {
    out_ += '[';
    bool first = true;
    for (const auto& item : array) {
      separate(first, depth + 1);
      write(item, depth + 1);
    }
    close(array.empty(), depth, ']');
  }

  void write_object(const json::object& object, int depth) {
    out_ += '{';
    bool first = true;
    for (const auto& member : object) {
      separate(first, depth + 1);
      out_ += json_quote(member.key(), style_.ascii_only);
      out_ += style_.indent > 0 || style_.space_after_separators ? ": " : ":";
      write(member.value(), depth + 1);
    }
    close(object.empty(), depth, '}');
  }

  void separate(bool& first, int depth) {
    if (!first) out_ += style_.space_after_separators && style_.indent == 0 ? ", " : ",";
    first = false;
    new_line(depth);
  }

  void close(bool empty, int depth, char bracket) {
    if (!empty) new_line(depth);
    out_ += bracket;
  }

  void new_line(int depth) {
    if (style_.indent == 0) return;
    out_ += '\n';
    out_.append(static_cast<size_t>(style_.indent * depth), ' ');
  }

  JsonStyle style_;
  std::string out_;
};

void append_escaped(std::string& out, char32_t c, bool ascii_only) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  if (c < 0x20 || (ascii_only && c >= 0x80 && c < 0x10000)) {
    out += fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
  } else if (ascii_only && c >= 0x10000) {
    const uint32_t v = static_cast<uint32_t>(c) - 0x10000;
    out += fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (v >> 10), 0xdc00 + (v & 0x3ff));
  } else {
    append_utf8(out, c);
  }
}

}  // namespace

std::string to_json(const json::value& value, const JsonStyle& style) {
  Writer writer(style);
  writer.write(value, 0);
  return writer.take();
}

std::string json_quote(std::string_view text, bool ascii_only) {
  std::string out = "\"";
  size_t at = 0;
  while (at < text.size()) append_escaped(out, next_code_point(text, at), ascii_only);
  out += '"';
  return out;
}

// Follows Python's repr(float): shortest digits, exponent form below 1e-4 and from 1e16 on.
std::string json_number(double value) {
  if (!std::isfinite(value)) return "null";  // JSON has no word for it
  std::array<char, 64> buffer{};
  const double magnitude = std::fabs(value);
  const bool exponent = magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e16);
  const auto result =
      std::to_chars(buffer.begin(), buffer.end(), value,
                    exponent ? std::chars_format::scientific : std::chars_format::fixed);
  std::string text(buffer.data(), result.ptr);
  if (!exponent && text.find('.') == std::string::npos) text += ".0";
  return text;
}

}  // namespace strata
