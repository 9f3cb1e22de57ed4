#include "models/chat/output/json_scan.h"

#include "core/error.h"
#include "core/json.h"
#include "models/chat/output/limits.h"

namespace strata::models {
namespace {

constexpr JsonLimits kLimits{.max_bytes = kMaxCallBytes, .max_depth = kMaxCallDepth};

std::optional<json::value> parsed(std::string_view text) {
  try {
    return parse_json(text, kLimits);
  } catch (const Error&) {
    return std::nullopt;
  }
}

// Behind the value at text[at]. Precondition: the text is valid JSON.
size_t value_end(std::string_view text, size_t at) {
  int depth = 0;
  bool quoted = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      if (c == '\\') ++at;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (depth == 0) return at;
      --depth;
    } else if (depth == 0 && (c == ',' || c == ':')) {
      return at;
    }
  }
  return at;
}

}  // namespace

bool is_json_space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_json_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_json_space(text.back())) text.remove_suffix(1);
  return text;
}

JsonReach json_reach(std::string_view text, size_t at) {
  if (at >= text.size()) return {Match::more, text.size()};
  if (text[at] != '{' && text[at] != '[') return {Match::no, at};
  std::string open;  // the brackets that are to be closed
  bool quoted = false;
  for (size_t i = at; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
      continue;
    }
    if (c == '"') quoted = true;
    if (c == '{' || c == '[') {
      if (open.size() >= kMaxCallDepth) return {Match::no, i};
      open += c == '{' ? '}' : ']';
    }
    if (c != '}' && c != ']') continue;
    if (open.back() != c) return {Match::no, i};
    open.pop_back();
    if (open.empty()) return {Match::yes, i + 1};
  }
  return {Match::more, text.size()};
}

Match skip_json(std::string_view text, size_t& at) {
  const JsonReach reach = json_reach(text, at);
  if (reach.match == Match::yes) at = reach.end;
  return reach.match;
}

std::optional<std::vector<std::pair<std::string, std::string_view>>> json_members(
    std::string_view text) {
  text = trimmed(text);
  const auto whole = parsed(text);
  if (!whole || !whole->is_object()) return std::nullopt;
  std::vector<std::pair<std::string, std::string_view>> members;
  for (size_t at = 1; at < text.size();) {
    const size_t key_end = value_end(text, at);
    if (key_end >= text.size() || text[key_end] != ':') break;
    const size_t end = value_end(text, key_end + 1);
    const auto key = json_text(trimmed(text.substr(at, key_end - at)));
    if (!key) return std::nullopt;
    members.emplace_back(*key, trimmed(text.substr(key_end + 1, end - key_end - 1)));
    at = end + 1;
  }
  return members;
}

std::optional<std::vector<std::string_view>> json_elements(std::string_view text) {
  text = trimmed(text);
  const auto whole = parsed(text);
  if (!whole || !whole->is_array()) return std::nullopt;
  std::vector<std::string_view> elements;
  for (size_t at = 1; at < text.size();) {
    const size_t end = value_end(text, at);
    const std::string_view element = trimmed(text.substr(at, end - at));
    if (!element.empty()) elements.push_back(element);
    at = end + 1;
  }
  return elements;
}

std::optional<std::string> json_text(std::string_view text) {
  const auto value = parsed(text);
  if (!value || !value->is_string()) return std::nullopt;
  return std::string(value->as_string());
}

}  // namespace strata::models
