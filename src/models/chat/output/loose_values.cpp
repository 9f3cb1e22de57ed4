#include "models/chat/output/loose_values.h"

#include <charconv>

#include "core/ascii.h"
#include "core/error.h"
#include "core/json.h"
#include "core/utf8.h"
#include "models/chat/output/call_pattern.h"
#include "models/chat/output/limits.h"

namespace strata::models {
namespace {

bool is_word_char(char c) {
  return is_ascii_alnum(c) || c == '_' || c == '-' || c == '.' || c == '/';
}

bool ends_scalar(char c) {
  return c == ',' || c == ')' || c == ']' || c == '}' || is_json_space(c);
}

}  // namespace

void LooseReader::skip_space() {
  models::skip_space(text_, at_);
}

Match LooseReader::literal(std::string_view literal) {
  return match_literal(text_, at_, literal);
}

Match LooseReader::word(std::string& out) {
  size_t end = at_;
  while (end < text_.size() && is_word_char(text_[end])) ++end;
  if (end - at_ > kMaxToolNameBytes) return Match::no;
  if (end == text_.size()) return Match::more;
  if (end == at_) return Match::no;
  out = text_.substr(at_, end - at_);
  at_ = end;
  return Match::yes;
}

Match LooseReader::value(std::string& json, int depth) {
  if (depth > static_cast<int>(kMaxCallDepth)) return Match::no;
  skip_space();
  if (at_ == text_.size()) return Match::more;
  const char c = text_[at_];
  if (c == '[') return list(json, depth);
  if (c == '{') {
    ++at_;
    return members(":", "}", json, depth);
  }
  if (style_.quote.empty() ? c == '"' || c == '\'' : c == style_.quote.front()) {
    return quoted(json);
  }
  return scalar(json);
}

Match LooseReader::list(std::string& json, int depth) {
  ++at_;
  json += '[';
  for (bool first = true;; first = false) {
    skip_space();
    if (at_ == text_.size()) return Match::more;
    if (text_[at_] == ']') break;
    if (!first) {
      if (text_[at_] != ',') return Match::no;
      ++at_;
      skip_space();
      if (at_ == text_.size()) return Match::more;
      if (text_[at_] == ']') break;
      json += ", ";
    }
    const Match match = value(json, depth + 1);
    if (match != Match::yes) return match;
  }
  ++at_;
  json += ']';
  return Match::yes;
}

Match LooseReader::members(std::string_view separator, std::string_view close, std::string& json,
                           int depth) {
  json += '{';
  for (bool first = true;; first = false) {
    skip_space();
    Match match = literal(close);
    if (match == Match::yes) break;
    if (match == Match::more) return match;
    if (!first) {
      if ((match = literal(",")) != Match::yes) return match;
      skip_space();
      if ((match = literal(close)) == Match::yes) break;
      if (match == Match::more) return match;
      json += ", ";
    }
    const bool bare = style_.bare_keys || separator == "=";
    std::string key;
    match = bare ? word(key) : quoted(key);
    if (match != Match::yes) return match;
    json += bare ? json_quote(key) : key;
    json += ": ";
    skip_space();
    if ((match = literal(separator)) != Match::yes) return match;
    if ((match = value(json, depth + 1)) != Match::yes) return match;
  }
  json += '}';
  return Match::yes;
}

Match LooseReader::quoted(std::string& json) {
  if (at_ == text_.size()) return Match::more;
  if (style_.quote.empty()) {
    const char quote = text_[at_];
    if (quote != '"' && quote != '\'') return Match::no;
    ++at_;
    return python_string(quote, json);
  }
  const Match open = literal(style_.quote);
  if (open != Match::yes) return open;
  const size_t end = text_.find(style_.quote, at_);
  if (end == std::string_view::npos) return Match::more;
  json += json_quote(text_.substr(at_, end - at_));
  at_ = end + style_.quote.size();
  return Match::yes;
}

Match LooseReader::python_string(char quote, std::string& json) {
  std::string text;
  while (at_ < text_.size()) {
    const char c = text_[at_++];
    if (c == quote) {
      json += json_quote(text);
      return Match::yes;
    }
    if (c != '\\') {
      text += c;
      continue;
    }
    const Match match = escape(text);
    if (match != Match::yes) return match;
  }
  return Match::more;
}

Match LooseReader::escape(std::string& out) {
  if (at_ == text_.size()) return Match::more;
  const char c = text_[at_++];
  constexpr std::string_view kLetters = "ntrbf0";
  constexpr std::string_view kMeant{"\n\t\r\b\f\0", 6};
  if (const size_t which = kLetters.find(c); which != std::string_view::npos) {
    out += kMeant[which];
    return Match::yes;
  }
  const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  if (digits == 0) {
    // Python keeps the backslash in front of what is no escape.
    if (c != '\\' && c != '\'' && c != '"' && c != '/') out += '\\';
    out += c;
    return Match::yes;
  }
  if (text_.size() - at_ < digits) return Match::more;
  uint32_t code = 0;
  const char* end = text_.data() + at_ + digits;
  const auto [stop, error] = std::from_chars(text_.data() + at_, end, code, 16);
  if (error != std::errc() || stop != end) return Match::no;
  const bool scalar_value = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
  append_utf8(out, scalar_value ? static_cast<char32_t>(code) : kReplacement);
  at_ += digits;
  return Match::yes;
}

// A number, a truth value or nothing, in Python's words or JSON's.
Match LooseReader::scalar(std::string& json) {
  size_t end = at_;
  while (end < text_.size() && !ends_scalar(text_[end])) ++end;
  if (end - at_ > kMaxToolNameBytes) return Match::no;
  if (end == text_.size()) return Match::more;
  const std::string_view word = text_.substr(at_, end - at_);
  at_ = end;
  if (word == "True" || word == "true") {
    json += "true";
  } else if (word == "False" || word == "false") {
    json += "false";
  } else if (word == "None" || word == "null" || word == "none") {
    json += "null";
  } else {
    try {
      if (!parse_json(word).is_number()) return Match::no;
    } catch (const Error&) {
      return Match::no;
    }
    json += word;
  }
  return Match::yes;
}

}  // namespace strata::models
