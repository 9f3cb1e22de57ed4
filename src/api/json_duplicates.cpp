#include "api/json_duplicates.h"

#include <unordered_set>
#include <vector>

#include "core/json.h"

namespace strata::api {
namespace {

// The length of the string that begins with the quote at the front, both quotes counted.
size_t string_length(std::string_view text) {
  size_t i = 1;
  while (text[i] != '"') i += text[i] == '\\' ? 2 : 1;
  return i + 1;
}

std::string unquoted(std::string_view quoted) {
  if (quoted.find('\\') == std::string_view::npos) {
    return std::string(quoted.substr(1, quoted.size() - 2));
  }
  return std::string(parse_json(quoted).get_string());
}

struct Level {
  bool object = false;
  std::unordered_set<std::string> keys;
};

}  // namespace

std::optional<std::string> duplicate_key(std::string_view text) {
  std::vector<Level> levels;
  bool key_next = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '{' || c == '[') {
      levels.push_back({c == '{', {}});
      key_next = c == '{';
    } else if (c == '}' || c == ']') {
      levels.pop_back();
      key_next = false;
    } else if (c == ',') {
      key_next = levels.back().object;
    } else if (c == '"') {
      const std::string_view quoted = text.substr(i, string_length(text.substr(i)));
      i += quoted.size() - 1;
      if (!key_next) continue;
      key_next = false;
      std::string key = unquoted(quoted);
      if (!levels.back().keys.insert(key).second) return key;
    }
  }
  return std::nullopt;
}

}  // namespace strata::api
