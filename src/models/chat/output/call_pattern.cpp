#include "models/chat/output/call_pattern.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "core/ascii.h"
#include "core/check.h"
#include "core/json.h"
#include "models/chat/output/begun_calls.h"
#include "models/chat/output/limits.h"

namespace strata::models {
namespace {

using Kind = PatternPart::Kind;

constexpr std::array<std::pair<std::string_view, Kind>, 13> kFields{{{"name", Kind::name},
                                                                     {"id", Kind::id},
                                                                     {"path", Kind::path},
                                                                     {"skip", Kind::skip},
                                                                     {"json", Kind::json},
                                                                     {"call", Kind::call},
                                                                     {"calls", Kind::calls},
                                                                     {"keyed", Kind::keyed},
                                                                     {"params", Kind::params},
                                                                     {"key", Kind::key},
                                                                     {"value", Kind::value},
                                                                     {"text", Kind::text},
                                                                     {"typed", Kind::typed}}};

std::optional<Kind> field_kind(std::string_view name) {
  for (const auto& [field, kind] : kFields) {
    if (field == name) return kind;
  }
  return std::nullopt;
}

bool is_word(char c, std::string_view more) {
  return is_ascii_alnum(c) || more.find(c) != std::string_view::npos;
}

// A word of such characters, at most so long, that something else follows.
Match take_word(std::string_view text, size_t& at, std::string_view more, std::string& out) {
  size_t end = at;
  while (end < text.size() && is_word(text[end], more)) ++end;
  if (end - at > kMaxToolNameBytes) return Match::no;
  if (end == text.size()) return Match::more;
  if (end == at) return Match::no;
  out = text.substr(at, end - at);
  at = end;
  return Match::yes;
}

// functions.NAME:NUMBER, of which the beginning may be missing.
Match take_path(std::string_view text, size_t& at, ToolCall& call) {
  const Match match = take_word(text, at, "_-./:", call.id);
  if (match != Match::yes) return match;
  std::string_view name = call.id;
  if (name.starts_with("functions.")) name.remove_prefix(10);
  name = name.substr(0, name.rfind(':'));
  call.name = name;
  return name.empty() ? Match::no : Match::yes;
}

// Keys of parameters are any text on one line up to what follows them.
Match take_until(std::string_view text, size_t& at, std::string_view end_literal,
                 std::string& out) {
  const size_t end = text.find(end_literal, at);
  const std::string_view word = text.substr(at, end == std::string_view::npos ? end : end - at);
  if (word.size() > kMaxToolNameBytes || word.find('\n') != std::string_view::npos) {
    return Match::no;
  }
  if (end == std::string_view::npos) return Match::more;
  if (word.empty()) return Match::no;
  out = word;
  at = end;
  return Match::yes;
}

// The arguments of a call that stands in JSON: an object, or one that was put into a string.
std::optional<std::string> arguments_of(std::string_view value) {
  if (json_members(value)) return std::string(value);
  const auto text = json_text(value);
  if (text && json_members(*text)) return *text;
  return std::nullopt;
}

std::optional<ToolCall> call_of(std::string_view object) {
  auto members = json_members(object);
  if (!members) return std::nullopt;
  // {"type": "function", "function": {…}}, as it stands in requests
  for (const auto& [key, value] : *members) {
    if (key != "function") continue;
    if (auto inner = json_members(value)) {
      members = std::move(inner);
      break;
    }
  }
  ToolCall call;
  call.arguments = "{}";
  for (const auto& [key, value] : *members) {
    if (key == "name" || key == "tool_name") {
      call.name = json_text(value).value_or("");
    } else if (key == "arguments" || key == "parameters") {
      const auto arguments = arguments_of(value);
      if (!arguments) return std::nullopt;
      call.arguments = *arguments;
    } else if (key == "id") {
      call.id = json_text(value).value_or("");
    }
  }
  if (call.name.empty() || call.name.size() > kMaxToolNameBytes) return std::nullopt;
  return call;
}

std::optional<ToolCall> keyed_call_of(std::string_view object) {
  const auto members = json_members(object);
  if (!members || members->size() != 1) return std::nullopt;
  const auto& [name, value] = members->front();
  const auto arguments = arguments_of(value);
  if (!arguments || name.empty() || name.size() > kMaxToolNameBytes) return std::nullopt;
  return ToolCall{.id = {}, .name = name, .arguments = *arguments};
}

Match take_calls(std::string_view text, size_t& at, Kind kind, std::vector<ToolCall>& calls) {
  size_t end = at;
  if (end < text.size() && kind == Kind::call && text[end] != '{') return Match::no;
  const Match match = skip_json(text, end);
  if (match != Match::yes) return match;
  const std::string_view whole = text.substr(at, end - at);
  std::vector<std::string_view> objects{whole};
  if (whole.front() == '[') {
    const auto elements = json_elements(whole);
    if (!elements || elements->empty()) return Match::no;
    objects = *elements;
  }
  std::vector<ToolCall> read;
  for (const std::string_view object : objects) {
    auto call = kind == Kind::keyed ? keyed_call_of(object) : call_of(object);
    if (!call) return Match::no;
    read.push_back(std::move(*call));
  }
  calls.insert(calls.end(), read.begin(), read.end());
  at = end;
  return Match::yes;
}

Match take_arguments(std::string_view text, size_t& at, std::string& out) {
  size_t end = at;
  if (end < text.size() && text[end] != '{') return Match::no;
  const Match match = skip_json(text, end);
  if (match != Match::yes) return match;
  const std::string_view object = text.substr(at, end - at);
  if (!json_members(object)) return Match::no;
  out = object;
  at = end;
  return Match::yes;
}

}  // namespace

std::vector<PatternPart> parse_pattern(std::string_view pattern) {
  std::vector<PatternPart> parts;
  const auto add_literal = [&](char c) {
    if (parts.empty() || parts.back().kind != Kind::literal) parts.push_back({});
    parts.back().literal += c;
  };
  for (size_t at = 0; at < pattern.size(); ++at) {
    const char c = pattern[at];
    if (c == '~') {
      parts.push_back({.kind = Kind::space});
    } else if (c == '\n') {
      parts.push_back({.kind = Kind::newline});
    } else if (c == '{') {
      const size_t end = pattern.find('}', at);
      const auto kind = field_kind(pattern.substr(at + 1, end - at - 1));
      CHECK(end != std::string_view::npos && kind.has_value());
      parts.push_back({.kind = *kind});
      at = end;
    } else {
      add_literal(c);
    }
  }
  return parts;
}

std::string leading_literal(const std::vector<PatternPart>& pattern) {
  return pattern.empty() || pattern.front().kind != Kind::literal ? "" : pattern.front().literal;
}

Match match_literal(std::string_view text, size_t& at, std::string_view literal) {
  const std::string_view there = text.substr(std::min(at, text.size()), literal.size());
  if (literal.substr(0, there.size()) != there) return Match::no;
  if (there.size() < literal.size()) return Match::more;
  at += literal.size();
  return Match::yes;
}

void skip_space(std::string_view text, size_t& at) {
  while (at < text.size() && is_json_space(text[at])) ++at;
}

struct CallPattern::Filling {
  const ToolSet& tools;
  ToolCall call = {};
  std::string members = {};  // of the arguments, where they are parameters
  std::vector<ToolCall> calls = {};
  bool one = true;  // the call is `call`
  BegunCalls* begun = nullptr;
};

CallPattern::CallPattern(std::string_view call, const std::vector<std::string>& params)
    : parts_(parse_pattern(call)) {
  for (const std::string& param : params) params_.push_back(parse_pattern(param));
}

Match CallPattern::match(std::string_view text, size_t& at, const ToolSet& tools,
                         std::vector<ToolCall>& calls, BegunCalls* begun) const {
  Filling filling{.tools = tools, .begun = begun};
  size_t end = at;
  for (const PatternPart& part : parts_) {
    const Match match = fill(text, end, part, filling);
    if (match != Match::yes) return match;
  }
  if (filling.one) filling.calls.push_back(std::move(filling.call));
  std::move(filling.calls.begin(), filling.calls.end(), std::back_inserter(calls));
  at = end;
  return Match::yes;
}

Match CallPattern::fill(std::string_view text, size_t& at, const PatternPart& part,
                        Filling& filling) const {
  std::string skipped;
  switch (part.kind) {
    case Kind::literal:
      return match_literal(text, at, part.literal);
    case Kind::space:
      skip_space(text, at);
      return Match::yes;
    case Kind::newline:
      if (at == text.size()) return Match::more;
      if (text[at] == '\n') ++at;
      return Match::yes;
    case Kind::name:
      return take_word(text, at, "_-./", filling.call.name);
    case Kind::id:
      return take_word(text, at, "_-.:", filling.call.id);
    case Kind::skip:
      return take_word(text, at, "_-.:", skipped);
    case Kind::path:
      return take_path(text, at, filling.call);
    case Kind::json:
      if (filling.begun != nullptr) {
        begin_arguments(text, at, filling.call, filling.tools, *filling.begun);
      }
      return take_arguments(text, at, filling.call.arguments);
    case Kind::call:
    case Kind::calls:
    case Kind::keyed:
      filling.one = false;
      if (filling.begun != nullptr) {
        begin_calls(text, at, part.kind, filling.tools, *filling.begun);
      }
      return take_calls(text, at, part.kind, filling.calls);
    case Kind::params:
      return fill_params(text, at, filling);
    case Kind::key:
    case Kind::value:
    case Kind::text:
    case Kind::typed:
      break;  // of parameters only
  }
  return Match::no;
}

std::string literal_behind(const std::vector<PatternPart>& pattern, size_t field,
                           const std::string& key) {
  std::string literal;
  for (size_t i = field + 1; i < pattern.size(); ++i) {
    if (pattern[i].kind == Kind::literal) {
      literal += pattern[i].literal;
    } else if (pattern[i].kind == Kind::key) {
      literal += key;
    } else if (pattern[i].kind != Kind::newline) {
      break;
    }
  }
  return literal;
}

bool names_key_behind(const std::vector<PatternPart>& pattern, size_t field) {
  return std::any_of(pattern.begin() + static_cast<ptrdiff_t>(field), pattern.end(),
                     [](const auto& part) { return part.kind == Kind::key; });
}

namespace {

struct Param {
  std::string key;
  std::string value;  // JSON
};

std::string value_as_json(Kind kind, std::string_view text, std::string_view key,
                          std::string_view tool, const ToolSet& tools) {
  if (kind == Kind::text) return json_quote(text);
  if (kind == Kind::typed) return json_or_text(text);
  return tools.argument(tool, key, text);
}

Match match_param(const std::vector<PatternPart>& pattern, std::string_view text, size_t& at,
                  std::string_view tool, const ToolSet& tools, Param& param) {
  size_t end = at;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const Kind kind = pattern[i].kind;
    if (kind == Kind::literal) {
      const Match match = match_literal(text, end, pattern[i].literal);
      if (match != Match::yes) return match;
    } else if (kind == Kind::space) {
      skip_space(text, end);
    } else if (kind == Kind::newline) {
      if (end == text.size()) return Match::more;
      if (text[end] == '\n') ++end;
    } else if (kind == Kind::key) {
      const Match match = take_until(text, end, literal_behind(pattern, i, {}), param.key);
      if (match != Match::yes) return match;
    } else {
      const std::string close = literal_behind(pattern, i, param.key);
      const size_t stop = text.find(close, end);
      if (stop == std::string_view::npos) return Match::more;
      std::string_view value = text.substr(end, stop - end);
      // They may be made of further tags: such are not read, and no tag becomes a part of an
      // argument.
      if (names_key_behind(pattern, i) && value.find(pattern.front().literal) != value.npos) {
        return Match::no;
      }
      const bool framed = i + 1 < pattern.size() && pattern[i + 1].kind == Kind::newline;
      if (framed && value.ends_with('\n')) value.remove_suffix(1);
      param.value = value_as_json(kind, value, param.key, tool, tools);
      end = stop + close.size();
      break;
    }
  }
  at = end;
  return Match::yes;
}

}  // namespace

Match CallPattern::fill_params(std::string_view text, size_t& at, Filling& filling) const {
  std::string& arguments = filling.call.arguments;
  arguments = "{";
  for (;;) {
    size_t end = at;
    skip_space(text, end);
    Match match = Match::no;
    Param param;
    for (const auto& pattern : params_) {
      match = match_param(pattern, text, end, filling.call.name, filling.tools, param);
      if (match != Match::no) break;
    }
    if (match == Match::more) return Match::more;
    if (match == Match::no) break;
    if (arguments.size() > 1) arguments += ", ";
    arguments += json_quote(param.key) + ": " + param.value;
    at = end;
  }
  arguments += '}';
  return Match::yes;
}

}  // namespace strata::models
