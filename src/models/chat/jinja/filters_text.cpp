// Filters that give text.
#include <algorithm>
#include <array>

#include "core/ascii.h"
#include "core/error.h"
#include "core/utf8.h"
#include "models/chat/jinja/builtins.h"
#include "models/chat/jinja/interpreter.h"
#include "models/chat/jinja/operations.h"
#include "models/chat/jinja/printing.h"
#include "models/chat/jinja/text_functions.h"
#include "models/chat/jinja/unicode.h"

namespace strata::models::jinja {
namespace {

template <TextPtr (*change)(Meter&, const Text&)>
Value changed(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "the filter", args, {});
  return Value(change(in.meter(), *to_text(in.meter(), self)));
}

// Words begin behind spaces, hyphens and opening brackets.
TextPtr title_filter(Meter& meter, const Text& text) {
  const auto begins = [](char32_t c) {
    return is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
  };
  const auto view = text.view();
  meter.step_mapped(view.size());
  TextBuilder out(meter);
  size_t word = 0;
  for (size_t at = 0; at <= view.size();) {
    const size_t begin = at;
    const bool end = at == view.size();
    const bool gap = !end && begins(next_code_point(view, at));
    if (!gap && !end) continue;
    if (begin > word) {
      const size_t first = word + character_length(view, word);
      TextBuilder head(meter);
      head.add(text, word, first);
      out.add(*upper_text(meter, *head.finish()));
      TextBuilder tail(meter);
      tail.add(text, first, begin);
      out.add(*lower_text(meter, *tail.finish()));
    }
    if (end) break;
    out.add(text, begin, at);
    word = at;
    meter.step();
  }
  return out.finish(text.markup());
}

Value string(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "string", args, {});
  return Value(to_text(in.meter(), self));
}

Value trim(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "trim", args, {"chars"});
  const auto characters = bound.none_or_absent(0) ? nullptr : bound.text(0);
  return Value(stripped(in.meter(), to_text(in.meter(), self), characters.get(), Side::both));
}

Value replace(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "replace", args, {"old", "new", "count"}, 2);
  const Integer count = bound.none_or_absent(2) ? Integer{-1} : bound.integer(2, -1);
  return Value(replaced(meter, *to_text(meter, self), *to_text(meter, bound[0]),
                        *to_text(meter, bound[1]), count));
}

Value escape(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "escape", args, {});
  return markup_safe(in.meter(), self);
}

Value force_escape(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "forceescape", args, {});
  TextBuilder plain(in.meter());
  append_text(plain, in.meter(), self);
  return markup_safe(in.meter(), Value(plain.finish()));
}

Value safe(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "safe", args, {});
  TextBuilder out(in.meter());
  append_text(out, in.meter(), self);
  return Value(out.finish(true));
}

Value format(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const auto text = to_text(meter, self);
  if (args.named.empty()) return percent_format(meter, text, make_tuple(meter, args.positional));
  if (!args.positional.empty()) {
    meter.fail("format: positional and keyword arguments at the same time");
  }
  auto names = std::make_shared<Dict>(meter, false);
  for (const auto& [name, value] : args.named) names->put(text_value(meter, name), value);
  return percent_format(meter, text, Value(DictPtr(std::move(names))));
}

Value indent(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "indent", args, {"width", "first", "blank"});
  if (self.is_undefined()) fail_undefined(meter, self);
  if (!self.is_text()) meter.fail(fmt::format("indent of a '{}'", type_name(self)));
  TextPtr margin;
  if (bound.has(0) && bound[0].is_text()) {
    margin = bound[0].text();
  } else {
    TextBuilder spaces(meter);
    spaces.fill(bound.count(0, 4, meter.limits().max_output_bytes), " ");
    margin = spaces.finish();
  }
  const bool blank = bound.flag(2, false);
  TextBuilder ended(meter);
  ended.add(*self.text());
  ended.add("\n");
  const auto lines = split_lines(meter, ended.finish(), false);
  TextBuilder out(meter);
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto& line = *lines[i].text();
    if (i > 0) out.add("\n");
    if (i > 0 ? blank || !line.empty() : bound.flag(1, false)) out.add(*margin);
    out.add(line);
  }
  return Value(out.finish(self.text()->markup()));
}

Value center(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "center", args, {"width"});
  const size_t width = bound.count(0, 80, meter.limits().max_output_bytes);
  return Value(padded(meter, to_text(meter, self), width, Side::both));
}

Value truncate(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "truncate", args, {"length", "killwords", "end", "leeway"});
  if (!self.is_text()) meter.fail(fmt::format("truncate of a '{}'", type_name(self)));
  const size_t limit = meter.limits().max_output_bytes;
  const size_t length = bound.count(0, 255, limit);
  const size_t leeway = bound.none_or_absent(3) ? 5 : bound.count(3, 5, limit);
  const auto end = bound.has(2) ? bound.text(2) : make_text(meter, "...");
  const size_t end_size = count_characters(meter, end->view());
  if (length < end_size) meter.fail(fmt::format("expected length >= {}, got {}", end_size, length));
  const auto view = self.view();
  if (count_characters(meter, view) <= length + leeway) return self;
  size_t stop = byte_offset(meter, view, length - end_size);
  if (!bound.flag(1, false)) {
    meter.step_characters(stop);
    const size_t space = view.substr(0, stop).rfind(' ');
    if (space != view.npos) stop = space;
  }
  TextBuilder out(meter);
  out.add(*self.text(), 0, stop);
  out.add(*end);
  return Value(out.finish());
}

Value join(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "join", args, {"d", "attribute"});
  const auto separator = bound.has(0) ? to_text(meter, bound[0]) : make_text(meter, "");
  TextBuilder out(meter);
  bool first = true;
  const auto items = iterate(meter, self);
  for (const auto& item : items->items) {
    meter.step();
    if (!std::exchange(first, false)) out.add(*separator);
    append_text(out, meter, bound.none_or_absent(1) ? item : get_by_path(meter, item, bound[1]));
  }
  return Value(out.finish());
}

Value urlencode(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "urlencode", args, {});
  const auto quote = [&](TextBuilder& out, const Value& value, bool query) {
    const auto text = to_text(meter, value);
    const auto view = text->view();
    meter.step_mapped(view.size());
    for (size_t i = 0; i < view.size(); ++i) {
      const char c = view[i];
      const bool plain = is_ascii_alnum(c) || std::string_view("_.-~").find(c) != view.npos ||
                         (c == '/' && !query);
      if (plain) {
        out.add(*text, i, i + 1);
      } else {
        meter.step();
        out.add(c == ' ' && query ? "+" : fmt::format("%{:02X}", static_cast<unsigned char>(c)),
                text->outside_at(i));
      }
    }
  };
  TextBuilder out(meter);
  if (self.is_text() || !is_iterable(self)) {
    quote(out, self, false);
    return Value(out.finish());
  }
  bool first = true;
  const auto pairs = self.is_dict() ? dict_pairs(meter, *self.dict()) : iterate(meter, self);
  for (const auto& pair : pairs->items) {
    const auto parts = iterate(meter, pair);
    if (parts->items.size() != 2) meter.fail("urlencode needs pairs");
    if (!std::exchange(first, false)) out.add("&");
    quote(out, parts->items[0], true);
    out.add("=");
    quote(out, parts->items[1], true);
  }
  return Value(out.finish());
}

Value tojson(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonFormat format;
  format.ascii_only = bound.flag(0, false);
  format.sort_keys = bound.flag(3, false);
  format.lines = !bound.none_or_absent(1);
  if (format.lines && bound[1].is_text()) {
    meter.step_bytes(bound[1].view().size());
    format.indent = bound[1].view();
  } else if (format.lines) {
    format.indent.assign(static_cast<size_t>(std::clamp<Integer>(bound.integer(1, 0), 0, 1024)),
                         ' ');
  }
  format.item_separator = make_text(meter, format.lines ? "," : ", ");
  format.key_separator = make_text(meter, ": ");
  if (!bound.none_or_absent(2)) {
    const auto pair = iterate(meter, bound[2]);
    if (pair->items.size() != 2 || !pair->items[0].is_text() || !pair->items[1].is_text()) {
      meter.fail("separators must be two strings");
    }
    format.item_separator = pair->items[0].text();
    format.key_separator = pair->items[1].text();
  }
  TextBuilder out(meter);
  append_json(out, meter, self, format);
  return Value(out.finish());
}

constexpr auto kFilters = std::to_array<Builtin>({
    {"upper", changed<upper_text>},
    {"lower", changed<lower_text>},
    {"capitalize", changed<capitalized_text>},
    {"title", changed<title_filter>},
    {"string", string},
    {"trim", trim},
    {"replace", replace},
    {"escape", escape},
    {"e", escape},
    {"forceescape", force_escape},
    {"safe", safe},
    {"format", format},
    {"indent", indent},
    {"center", center},
    {"truncate", truncate},
    {"join", join},
    {"urlencode", urlencode},
    {"tojson", tojson},
});

}  // namespace

Builtins text_filters() {
  return kFilters;
}

Value markup_safe(Meter& meter, const Value& value) {
  const auto text = to_text(meter, value);
  if (text->markup()) return Value(text);
  const auto view = text->view();
  meter.step_characters(view.size());
  TextBuilder out(meter);
  size_t done = 0;
  for (size_t at = view.find_first_of("&<>'\""); at != view.npos;
       at = view.find_first_of("&<>'\"", done)) {
    meter.step();
    out.add(*text, done, at);
    const char c = view[at];
    out.add(c == '&'    ? "&amp;"
            : c == '<'  ? "&lt;"
            : c == '>'  ? "&gt;"
            : c == '\'' ? "&#39;"
                        : "&#34;",
            text->outside_at(at));
    done = at + 1;
  }
  out.add(*text, done, view.size());
  return Value(out.finish(true));
}

}  // namespace strata::models::jinja
