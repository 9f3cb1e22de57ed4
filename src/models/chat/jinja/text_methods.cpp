// The methods of str.
#include <algorithm>
#include <array>

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

constexpr auto npos = std::string_view::npos;

template <TextPtr (*change)(Meter&, const Text&)>
Value changed(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "the method", args, {});
  return Value(change(in.meter(), *self.text()));
}

template <Side side>
Value strip(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "strip", args, {"chars"});
  const auto characters = bound.none_or_absent(0) ? nullptr : bound.text(0);
  return Value(stripped(in.meter(), self.text(), characters.get(), side));
}

Values split_at_space(Meter& meter, const TextPtr& text, Integer most) {
  const auto view = text->view();
  Values parts;
  size_t at = leading_space(view);
  while (at < view.size()) {
    meter.step();
    if (most >= 0 && static_cast<Integer>(parts.size()) == most) {
      parts.emplace_back(sub_text(meter, text, at, view.size()));
      break;
    }
    size_t end = at;
    while (end < view.size()) {
      size_t next = end;
      if (is_space(next_code_point(view, next))) break;
      end = next;
    }
    parts.emplace_back(sub_text(meter, text, at, end));
    at = end + leading_space(view.substr(end));
  }
  return parts;
}

Values rsplit_at_space(Meter& meter, const TextPtr& text, Integer most) {
  const auto view = text->view();
  Values parts;
  size_t end = view.size() - trailing_space(view);
  while (end > 0) {
    meter.step();
    if (most >= 0 && static_cast<Integer>(parts.size()) == most) {
      parts.emplace_back(sub_text(meter, text, 0, end));
      break;
    }
    size_t begin = end;
    while (begin > 0 && trailing_space(view.substr(0, begin)) == 0) --begin;
    parts.emplace_back(sub_text(meter, text, begin, end));
    end = begin - trailing_space(view.substr(0, begin));
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

Values split_at(Meter& meter, const TextPtr& text, std::string_view separator, Integer most) {
  const auto view = text->view();
  Values parts;
  size_t begin = 0;
  while (most < 0 || static_cast<Integer>(parts.size()) < most) {
    const size_t at = find_bytes(meter, view, separator, begin);
    if (at == npos) break;
    meter.step();
    parts.emplace_back(sub_text(meter, text, begin, at));
    begin = at + separator.size();
  }
  parts.emplace_back(sub_text(meter, text, begin, view.size()));
  return parts;
}

Values rsplit_at(Meter& meter, const TextPtr& text, std::string_view separator, Integer most) {
  const auto view = text->view();
  Values parts;
  size_t end = view.size();
  while (most < 0 || static_cast<Integer>(parts.size()) < most) {
    const size_t at = rfind_bytes(meter, view.substr(0, end), separator);
    if (at == npos) break;
    meter.step();
    parts.emplace_back(sub_text(meter, text, at + separator.size(), end));
    end = at;
  }
  parts.emplace_back(sub_text(meter, text, 0, end));
  std::reverse(parts.begin(), parts.end());
  return parts;
}

template <bool from_right>
Value split(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "split", args, {"sep", "maxsplit"});
  const Integer most = bound.integer(1, -1);
  Values parts;
  if (bound.none_or_absent(0)) {
    meter.step_mapped(self.text()->size());
    parts = from_right ? rsplit_at_space(meter, self.text(), most)
                       : split_at_space(meter, self.text(), most);
  } else {
    const auto separator = bound.text(0);
    if (separator->empty()) meter.fail("empty separator");
    parts = from_right ? rsplit_at(meter, self.text(), separator->view(), most)
                       : split_at(meter, self.text(), separator->view(), most);
  }
  return make_list(meter, std::move(parts));
}

Value splitlines(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "splitlines", args, {"keepends"});
  return make_list(in.meter(), split_lines(in.meter(), self.text(), bound.flag(0, false)));
}

template <bool from_right>
Value partition(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "partition", args, {"sep"}, 1);
  const auto& text = self.text();
  const auto separator = bound.text(0);
  if (separator->empty()) meter.fail("empty separator");
  const size_t at = from_right ? rfind_bytes(meter, text->view(), separator->view())
                               : find_bytes(meter, text->view(), separator->view());
  const Value none = text_value(meter, "");
  if (at == npos) {
    return make_tuple(meter, from_right ? Values{none, none, self} : Values{self, none, none});
  }
  const size_t end = at + separator->size();
  return make_tuple(meter,
                    {Value(sub_text(meter, text, 0, at)), Value(sub_text(meter, text, at, end)),
                     Value(sub_text(meter, text, end, text->size()))});
}

// The part of a text that start and end name, as bytes.
struct Window {
  size_t begin = 0;
  size_t end = 0;
  bool valid = true;
};

Window window(Meter& meter, const Text& text, const Bound& bound, size_t first) {
  const auto size = static_cast<Integer>(count_characters(meter, text.view()));
  const auto place = [&](size_t i, Integer absent) {
    Integer at = bound.none_or_absent(i) ? absent : bound.integer(i, 0);
    if (at < 0) at = std::max<Integer>(0, at + size);
    return at;
  };
  const Integer begin = place(first, 0);
  const Integer end = std::min(place(first + 1, size), size);
  if (begin > end) return {0, 0, false};
  return {byte_offset(meter, text.view(), static_cast<size_t>(begin)),
          byte_offset(meter, text.view(), static_cast<size_t>(end)), true};
}

template <bool at_end>
Value affix(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const auto* name = at_end ? "endswith" : "startswith";
  const Bound bound(meter, name, args, {"prefix", "start", "end"}, 1);
  Window where{0, self.text()->size(), true};
  if (bound.has(1)) where = window(meter, *self.text(), bound, 1);
  const auto view = self.view().substr(where.begin, where.end - where.begin);
  const auto matches = [&](const Value& affix) {
    if (affix.is_undefined()) fail_undefined(meter, affix);
    if (!affix.is_text()) meter.fail(fmt::format("{}() needs a str or a tuple of str", name));
    meter.step_bytes(affix.view().size());
    return where.valid && (at_end ? view.ends_with(affix.view()) : view.starts_with(affix.view()));
  };
  if (!bound[0].is_list() || !bound[0].list()->is_tuple) return Value(matches(bound[0]));
  for (const auto& affix : bound[0].list()->items) {
    if (matches(affix)) return Value(true);
  }
  return Value(false);
}

// -1: not found.
Integer found(Meter& meter, const Value& self, const Bound& bound, bool from_right) {
  const auto where = window(meter, *self.text(), bound, 1);
  const auto needle = bound.text(0);
  if (!where.valid) return -1;
  const auto view = self.view().substr(where.begin, where.end - where.begin);
  const size_t at = from_right ? rfind_bytes(meter, view, needle->view())
                               : find_bytes(meter, view, needle->view());
  if (at == npos) return -1;
  return static_cast<Integer>(count_characters(meter, self.view().substr(0, where.begin + at)));
}

template <bool from_right, bool must>
Value find(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), must ? "index" : "find", args, {"sub", "start", "end"}, 1);
  const Integer at = found(in.meter(), self, bound, from_right);
  if (must && at < 0) in.meter().fail("substring not found");
  return Value(at);
}

Value count(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "count", args, {"sub", "start", "end"}, 1);
  const auto where = window(meter, *self.text(), bound, 1);
  const auto needle = bound.text(0);
  if (!where.valid) return int_value(0);
  const auto view = self.view().substr(where.begin, where.end - where.begin);
  if (needle->empty()) return int_value(count_characters(meter, view) + 1);
  size_t n = 0;
  for (size_t at = find_bytes(meter, view, needle->view()); at != npos;
       at = find_bytes(meter, view, needle->view(), at + needle->size())) {
    meter.step();
    ++n;
  }
  return int_value(n);
}

Value replace(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "replace", args, {"old", "new", "count"}, 2);
  Value with(bound.text(1));
  if (self.text()->markup()) with = markup_safe(meter, with);
  return Value(replaced(meter, *self.text(), *bound.text(0), *with.text(), bound.integer(2, -1)));
}

Value join(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "join", args, {"iterable"}, 1);
  TextBuilder out(meter);
  bool first = true;
  const bool markup = self.text()->markup();
  const auto items = iterate(meter, bound[0]);
  for (const auto& item : items->items) {
    meter.step();
    if (item.is_undefined()) fail_undefined(meter, item);
    if (!item.is_text()) {
      meter.fail(fmt::format("join(): a str is needed, found '{}'", type_name(item)));
    }
    if (!std::exchange(first, false)) out.add(*self.text());
    const Value part = markup ? markup_safe(meter, item) : item;
    out.add(*part.text());
  }
  return Value(out.finish(markup));
}

Value format(Interpreter& in, const Value& self, Args& args) {
  return brace_format(in.meter(), self.text(), args);
}

template <bool (*wanted)(char32_t)>
Value all_are(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "the method", args, {});
  const auto view = self.view();
  in.meter().step_mapped(view.size());
  for (size_t at = 0; at < view.size();) {
    if (!wanted(next_code_point(view, at))) return Value(false);
  }
  return Value(!view.empty());
}

bool is_alphanumeric(char32_t c) {
  return is_word(c) && c != '_';
}

template <bool (*question)(std::string_view)>
Value ask(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "the method", args, {});
  in.meter().step_mapped(self.view().size());
  return Value(question(self.view()));
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

template <Side side>
Value justify(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "justify", args, {"width", "fillchar"}, 1);
  const Integer wanted = std::max<Integer>(0, bound.integer(0, 0));
  if (wanted > static_cast<Integer>(meter.limits().max_output_bytes)) {
    meter.exhausted(fmt::format("a text padded to {}, the limit is {}", wanted,
                                meter.limits().max_output_bytes));
  }
  const auto width = static_cast<size_t>(wanted);
  const auto fill = bound.has(1) ? bound.text(1) : make_text(meter, " ");
  if (count_characters(meter, fill->view()) != 1)
    meter.fail("the fill character must be one character");
  return Value(padded(meter, self.text(), width, side, fill->view()));
}

Value zfill(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "zfill", args, {"width"}, 1);
  const size_t width = bound.count(0, 0, meter.limits().max_output_bytes);
  const size_t size = count_characters(meter, self.view());
  const size_t sign = !self.view().empty() && (self.view()[0] == '-' || self.view()[0] == '+');
  TextBuilder out(meter);
  out.add(*self.text(), 0, sign);
  if (width > size) out.fill(width - size, "0");
  out.add(*self.text(), sign, self.text()->size());
  return Value(out.finish());
}

template <bool at_end>
Value remove_affix(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "removeprefix", args, {"prefix"}, 1);
  const auto affix = bound.text(0);
  const auto view = self.view();
  in.meter().step_bytes(affix->size());
  if (at_end && !affix->empty() && view.ends_with(affix->view())) {
    return Value(sub_text(in.meter(), self.text(), 0, view.size() - affix->size()));
  }
  if (!at_end && view.starts_with(affix->view())) {
    return Value(sub_text(in.meter(), self.text(), affix->size(), view.size()));
  }
  return self;
}

constexpr auto kMethods = std::to_array<Builtin>({
    {"upper", changed<upper_text>},
    {"lower", changed<lower_text>},
    {"casefold", changed<lower_text>},
    {"capitalize", changed<capitalized_text>},
    {"title", changed<titled_text>},
    {"strip", strip<Side::both>},
    {"lstrip", strip<Side::left>},
    {"rstrip", strip<Side::right>},
    {"split", split<false>},
    {"rsplit", split<true>},
    {"splitlines", splitlines},
    {"partition", partition<false>},
    {"rpartition", partition<true>},
    {"startswith", affix<false>},
    {"endswith", affix<true>},
    {"find", find<false, false>},
    {"rfind", find<true, false>},
    {"index", find<false, true>},
    {"rindex", find<true, true>},
    {"count", count},
    {"replace", replace},
    {"join", join},
    {"format", format},
    {"isalpha", all_are<is_alpha>},
    {"isdigit", all_are<is_decimal>},
    {"isdecimal", all_are<is_decimal>},
    {"isnumeric", all_are<is_decimal>},
    {"isalnum", all_are<is_alphanumeric>},
    {"isspace", all_are<is_space>},
    {"islower", ask<all_lower>},
    {"isupper", ask<all_upper>},
    {"isascii", ask<is_ascii>},
    {"ljust", justify<Side::left>},
    {"rjust", justify<Side::right>},
    {"center", justify<Side::both>},
    {"zfill", zfill},
    {"removeprefix", remove_affix<false>},
    {"removesuffix", remove_affix<true>},
});

}  // namespace

Builtins text_methods() {
  return kMethods;
}

}  // namespace strata::models::jinja
