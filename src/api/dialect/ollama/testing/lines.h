// For tests: reads the lines of an answer in Ollama's format.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace strata::api::testing {

inline std::vector<json::object> lines_of(std::string_view body) {
  std::vector<json::object> lines;
  for (size_t end = body.find('\n'); end != std::string_view::npos; end = body.find('\n')) {
    lines.push_back(parse_json(body.substr(0, end)).as_object());
    body.remove_prefix(end + 1);
  }
  return lines;
}

// The pieces of a chat joined.
inline std::string text_of_lines(const std::vector<json::object>& lines) {
  std::string text;
  for (const auto& line : lines) text += line.at("message").at("content").as_string();
  return text;
}

}  // namespace strata::api::testing
