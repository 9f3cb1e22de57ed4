#include "models/chat/jinja/printing.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/json.h"
#include "core/utf8.h"
#include "models/chat/jinja/objects.h"
#include "models/chat/jinja/operations.h"
#include "models/chat/jinja/unicode.h"

namespace strata::models::jinja {
namespace {

constexpr size_t kMaxReprDepth = 300;  // namespaces can contain themselves

// Runs of characters that stay as they are go over in one piece; the others as `escape` says,
// marked as the character was.
template <typename Escape>
void append_escaped(TextBuilder& out, Meter& meter, const Text& text, Escape escape) {
  const auto view = text.view();
  meter.step_mapped(view.size());
  size_t run = 0;
  for (size_t at = 0; at < view.size();) {
    size_t next = at;
    const char32_t c = next_code_point(view, next);
    const auto replacement = escape(c);
    if (!replacement.empty()) {
      meter.step();
      meter.step();
      out.add(text, run, at);
      out.add(replacement, text.outside_at(at));
      run = next;
    }
    at = next;
  }
  out.add(text, run, view.size());
}

void append_text_repr(TextBuilder& out, Meter& meter, const Text& text) {
  const auto view = text.view();
  const bool doubled = view.find('\'') != view.npos && view.find('"') == view.npos;
  const std::string_view quote = doubled ? "\"" : "'";
  out.add(quote, text.outside());
  append_escaped(out, meter, text, [quote](char32_t c) -> std::string {
    if (c == '\\') return "\\\\";
    if (c == static_cast<char32_t>(quote[0])) return std::string("\\") + quote[0];
    if (c == '\n') return "\\n";
    if (c == '\r') return "\\r";
    if (c == '\t') return "\\t";
    if (is_printable(c)) return {};
    const auto code = static_cast<uint32_t>(c);
    if (code < 0x100) return fmt::format("\\x{:02x}", code);
    return code < 0x10000 ? fmt::format("\\u{:04x}", code) : fmt::format("\\U{:08x}", code);
  });
  out.add(quote, text.outside());
}

void append_items(TextBuilder& out, Meter& meter, const List& list, size_t depth) {
  bool first = true;
  for (const auto& item : list.items) {
    if (!first) out.add(", ", list.outside);
    first = false;
    append_repr(out, meter, item, depth);
  }
}

void append_list(TextBuilder& out, Meter& meter, const List& list, size_t depth) {
  out.add(list.is_tuple ? "(" : "[", list.outside);
  append_items(out, meter, list, depth);
  const bool lonely = list.is_tuple && list.items.size() == 1;
  out.add(lonely ? ",)" : list.is_tuple ? ")" : "]", list.outside);
}

void append_dict(TextBuilder& out, Meter& meter, const Dict& dict, size_t depth) {
  out.add("{", dict.outside);
  bool first = true;
  for (const auto& [key, value] : dict.items()) {
    if (!first) out.add(", ", dict.outside);
    first = false;
    append_repr(out, meter, key, depth);
    out.add(": ", dict.outside);
    append_repr(out, meter, value, depth);
  }
  out.add("}", dict.outside);
}

void append_object(TextBuilder& out, Meter& meter, const Value& value, size_t depth) {
  if (const auto* range = value.as<Range>()) {
    out.add(fmt::format("range({}, {}", range->start, range->stop));
    if (range->step != 1) out.add(fmt::format(", {}", range->step));
    out.add(")");
  } else if (const auto* view = value.as<View>()) {
    out.add(fmt::format("{}([", view->name), view->items->outside);
    append_items(out, meter, *view->items, depth);
    out.add("])", view->items->outside);
  } else if (const auto* space = value.as<Namespace>()) {
    out.add("<Namespace {");
    bool first = true;
    for (const auto& [name, item] : space->attributes) {
      if (!first) out.add(", ");
      first = false;
      append_text_repr(out, meter, Text(name, false));
      out.add(": ");
      append_repr(out, meter, item, depth);
    }
    out.add("}>");
  } else if (const auto* macro = value.as<Macro>()) {
    out.add(fmt::format("<Macro '{}'>", macro->definition.name));
  } else if (const auto* loop = value.as<Loop>()) {
    out.add(fmt::format("<LoopContext {}/{}>", loop->index0 + 1, loop->items->items.size()));
  } else {
    out.add(fmt::format("<{} object>", value.object()->type_name()));
  }
}

std::string json_escape(char32_t c, bool ascii_only) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\f':
      return "\\f";
    case '\b':
      return "\\b";
    default:
      break;
  }
  const auto code = static_cast<uint32_t>(c);
  if (code >= 0x20 && (!ascii_only || code < 0x7F)) return {};
  if (code < 0x10000) return fmt::format("\\u{:04x}", code);
  const uint32_t rest = code - 0x10000;
  return fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
}

class JsonWriter {
 public:
  JsonWriter(TextBuilder& out, Meter& meter, const JsonFormat& format)
      : out_(out), meter_(meter), format_(format) {}

  void write(const Value& value, size_t level) {
    meter_.step();
    if (value.is_text()) return write_text(*value.text());
    if (value.is_none()) return out_.add("null");
    if (value.is_bool()) return out_.add(value.boolean() ? "true" : "false", value.outside());
    if (value.is_float()) return out_.add(number(value.floating()), value.outside());
    if (value.is_int()) return out_.add(fmt::format("{}", value.integer()), value.outside());
    if (value.is_list()) return write_list(*value.list(), level);
    if (value.is_dict()) return write_dict(*value.dict(), level);
    meter_.fail(fmt::format("Object of type {} is not JSON serializable", type_name(value)));
  }

 private:
  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
    return float_text(value);
  }

  void write_text(const Text& text) {
    out_.add("\"", text.outside());
    append_escaped(out_, meter_, text,
                   [this](char32_t c) { return json_escape(c, format_.ascii_only); });
    out_.add("\"", text.outside());
  }

  void new_line(size_t level, bool outside) {
    if (!format_.lines) return;
    out_.add("\n", outside);
    const Text unit(format_.indent, outside);
    out_.add_times(unit, level);
  }

  void separate(bool& first, size_t level, bool outside) {
    if (!first) {
      if (outside) {
        out_.add(format_.item_separator->view(), true);
      } else {
        out_.add(*format_.item_separator);
      }
    }
    first = false;
    new_line(level, outside);
  }

  void write_list(const List& list, size_t level) {
    if (list.items.empty()) return out_.add("[]", list.outside);
    out_.add("[", list.outside);
    bool first = true;
    for (const auto& item : list.items) {
      separate(first, level + 1, list.outside);
      write(item, level + 1);
    }
    new_line(level, list.outside);
    out_.add("]", list.outside);
  }

  void write_key(const Value& key) {
    if (key.is_text()) return write_text(*key.text());
    if (!key.is_number() && !key.is_none()) {
      meter_.fail(
          fmt::format("keys must be str, int, float, bool or None, not {}", type_name(key)));
    }
    out_.add("\"", key.outside());
    write(key, 0);
    out_.add("\"", key.outside());
  }

  void write_dict(const Dict& dict, size_t level) {
    if (dict.size() == 0) return out_.add("{}", dict.outside);
    std::vector<const Dict::Item*> items;
    for (const auto& item : dict.items()) items.push_back(&item);
    if (format_.sort_keys) {
      std::stable_sort(items.begin(), items.end(), [this](const auto* a, const auto* b) {
        return less(meter_, a->first, b->first);
      });
    }
    out_.add("{", dict.outside);
    bool first = true;
    for (const auto* item : items) {
      separate(first, level + 1, dict.outside);
      write_key(item->first);
      out_.add(format_.key_separator->view(), dict.outside);
      write(item->second, level + 1);
    }
    new_line(level, dict.outside);
    out_.add("}", dict.outside);
  }

  TextBuilder& out_;
  Meter& meter_;
  const JsonFormat& format_;
};

}  // namespace

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return json_number(value);
}

TextPtr to_text(Meter& meter, const Value& value) {
  if (value.is_text()) return value.text();
  TextBuilder out(meter);
  append_text(out, meter, value);
  return out.finish();
}

void append_text(TextBuilder& out, Meter& meter, const Value& value) {
  if (value.is_text()) return out.add(*value.text());
  if (value.is_undefined()) return;
  append_repr(out, meter, value);
}

void append_repr(TextBuilder& out, Meter& meter, const Value& value, size_t depth) {
  meter.step();
  if (depth > kMaxReprDepth) meter.exhausted("a value that contains itself");
  if (value.is_undefined()) return out.add("Undefined");
  if (value.is_none()) return out.add("None");
  if (value.is_bool()) return out.add(value.boolean() ? "True" : "False", value.outside());
  if (value.is_int()) return out.add(fmt::format("{}", value.integer()), value.outside());
  if (value.is_float()) return out.add(float_text(value.floating()), value.outside());
  if (value.is_list()) return append_list(out, meter, *value.list(), depth + 1);
  if (value.is_dict()) return append_dict(out, meter, *value.dict(), depth + 1);
  if (value.is_object()) return append_object(out, meter, value, depth + 1);
  const bool markup = value.text()->markup();
  if (markup) out.add("Markup(");
  append_text_repr(out, meter, *value.text());
  if (markup) out.add(")");
}

void append_json(TextBuilder& out, Meter& meter, const Value& value, const JsonFormat& format) {
  JsonWriter(out, meter, format).write(value, 0);
}

}  // namespace strata::models::jinja
