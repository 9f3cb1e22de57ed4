#include "models/chat/jinja/text_functions.h"

#include "core/utf8.h"
#include "models/chat/jinja/unicode.h"

namespace strata::models::jinja {
namespace {

// A new text, character by character: `map` appends what becomes of one.
template <typename Map>
TextPtr mapped(Meter& meter, const Text& text, Map map) {
  const auto view = text.view();
  meter.step_mapped(view.size());
  TextBuilder out(meter);
  std::string run;
  bool outside = false;
  for (size_t at = 0; at < view.size();) {
    const size_t begin = at;
    const char32_t c = next_code_point(view, at);
    const bool now_outside = text.outside() && text.outside_at(begin);
    if (now_outside != outside) {
      out.add(run, outside);
      run.clear();
      outside = now_outside;
    }
    if (c == kReplacement && at == begin + 1) {
      run += view[begin];  // no character: stays as it is
    } else {
      map(run, c, begin, at);
    }
  }
  out.add(run, outside);
  return out.finish(text.markup());
}

// Greek sigma at the end of a word has its own small form.
bool final_sigma(std::string_view view, size_t begin, size_t end) {
  size_t previous = begin;
  while (previous > 0 && (static_cast<unsigned char>(view[--previous]) & 0xC0) == 0x80) {
  }
  if (begin == 0) return false;
  size_t at = previous;
  if (!is_cased(next_code_point(view, at))) return false;
  if (end >= view.size()) return true;
  at = end;
  return !is_cased(next_code_point(view, at));
}

void lower_at(std::string& out, char32_t c, std::string_view view, size_t begin, size_t end) {
  if (c == 0x3A3) {
    append_utf8(out, final_sigma(view, begin, end) ? 0x3C2 : 0x3C3);
  } else {
    append_lower(out, c);
  }
}

template <bool (*wanted)(char32_t), bool (*unwanted)(char32_t)>
bool all_cased(std::string_view text) {
  bool any = false;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    if (unwanted(c)) return false;
    any |= wanted(c);
  }
  return any;
}

bool among(std::string_view characters, std::string_view one) {
  for (size_t at = 0; at < characters.size();) {
    const size_t size = character_length(characters, at);
    if (characters.substr(at, size) == one) return true;
    at += size;
  }
  return false;
}

size_t leading(std::string_view view, std::string_view characters) {
  size_t at = 0;
  while (at < view.size()) {
    const size_t size = character_length(view, at);
    if (!among(characters, view.substr(at, size))) break;
    at += size;
  }
  return at;
}

size_t trailing(std::string_view view, std::string_view characters) {
  size_t end = view.size();
  while (end > 0) {
    size_t begin = end - 1;
    while (begin > 0 && end - begin < 4 &&
           (static_cast<unsigned char>(view[begin]) & 0xC0) == 0x80) {
      --begin;
    }
    if (character_length(view, begin) != end - begin) begin = end - 1;
    if (!among(characters, view.substr(begin, end - begin))) break;
    end = begin;
  }
  return view.size() - end;
}

}  // namespace

TextPtr upper_text(Meter& meter, const Text& text) {
  return mapped(meter, text,
                [](std::string& out, char32_t c, size_t, size_t) { append_upper(out, c); });
}

TextPtr lower_text(Meter& meter, const Text& text) {
  return mapped(meter, text, [&](std::string& out, char32_t c, size_t begin, size_t end) {
    lower_at(out, c, text.view(), begin, end);
  });
}

TextPtr capitalized_text(Meter& meter, const Text& text) {
  return mapped(meter, text, [&](std::string& out, char32_t c, size_t begin, size_t end) {
    if (begin == 0) {
      append_title(out, c);
    } else {
      lower_at(out, c, text.view(), begin, end);
    }
  });
}

TextPtr titled_text(Meter& meter, const Text& text) {
  bool in_word = false;
  return mapped(meter, text, [&](std::string& out, char32_t c, size_t begin, size_t end) {
    if (in_word) {
      lower_at(out, c, text.view(), begin, end);
    } else {
      append_title(out, c);
    }
    in_word = is_cased(c);
  });
}

bool all_lower(std::string_view text) {
  return all_cased<is_lower, is_upper>(text);
}

bool all_upper(std::string_view text) {
  return all_cased<is_upper, is_lower>(text);
}

TextPtr stripped(Meter& meter, const TextPtr& text, const Text* characters, Side side) {
  const auto view = text->view();
  size_t begin = 0;
  if (side != Side::right) {
    begin = characters == nullptr ? leading_space(view) : leading(view, characters->view());
  }
  size_t end = view.size();
  if (side != Side::left) {
    const auto rest = view.substr(begin);
    end -= characters == nullptr ? trailing_space(rest) : trailing(rest, characters->view());
  }
  // What is left was not looked at; each character that went was looked for among `characters`.
  const size_t gone = view.size() - (end - begin);
  meter.step_characters(4 * gone * (characters == nullptr ? 1 : 1 + characters->size()));
  return sub_text(meter, text, begin, end);
}

TextPtr replaced(Meter& meter, const Text& text, const Text& from, const Text& to, Integer count) {
  const auto view = text.view();
  TextBuilder out(meter);
  size_t done = 0;
  const auto more = [&count] { return count < 0 || count-- > 0; };
  if (from.empty()) {  // in front of every character, and at the end
    while (more()) {
      meter.step();
      out.add(to);
      if (done == view.size()) return out.finish(text.markup());
      const size_t next = done + character_length(view, done);
      out.add(text, done, next);
      done = next;
    }
  } else {
    for (size_t at = find_bytes(meter, view, from.view()); at != view.npos && more();
         at = find_bytes(meter, view, from.view(), done)) {
      meter.step();
      out.add(text, done, at);
      out.add(to);
      done = at + from.size();
    }
  }
  out.add(text, done, view.size());
  return out.finish(text.markup());
}

Values split_lines(Meter& meter, const TextPtr& text, bool keep_ends) {
  const auto view = text->view();
  meter.step_mapped(view.size());
  Values lines;
  size_t begin = 0;
  for (size_t at = 0; at < view.size();) {
    const size_t end = at;
    const char32_t c = next_code_point(view, at);
    if (!ends_line(c)) continue;
    if (c == '\r' && at < view.size() && view[at] == '\n') ++at;
    meter.step();
    lines.emplace_back(sub_text(meter, text, begin, keep_ends ? at : end));
    begin = at;
  }
  if (begin < view.size()) lines.emplace_back(sub_text(meter, text, begin, view.size()));
  return lines;
}

TextPtr padded(Meter& meter, const TextPtr& text, size_t width, Side text_at,
               std::string_view fill) {
  const size_t size = count_characters(meter, text->view());
  if (width <= size) return text;
  const size_t missing = width - size;
  size_t left = 0;
  if (text_at == Side::right) left = missing;
  if (text_at == Side::both) left = missing / 2 + (missing & width & 1);  // as str.center()
  TextBuilder out(meter);
  out.fill(left, fill);
  out.add(*text);
  out.fill(missing - left, fill);
  return out.finish(text->markup());
}

}  // namespace strata::models::jinja
