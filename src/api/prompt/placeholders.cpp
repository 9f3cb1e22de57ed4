#include "api/prompt/placeholders.h"

#include <algorithm>

#include "core/ascii.h"

namespace strata::api {
namespace {

constexpr size_t kMaxNameBytes = 64;

bool starts_name(char c) {
  return c == '_' || is_ascii_letter(c);
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// Calls `literal` and `variable` with the parts of the text, in order.
template <typename Literal, typename Variable>
void walk(std::string_view text, Literal literal, Variable variable) {
  size_t begin = 0;
  size_t at = 0;
  while ((at = text.find("{{", at)) != std::string_view::npos) {
    // The longest name and its spaces end nearby: a text of braces alone is read in linear time.
    const std::string_view window = text.substr(at + 2, 2 * kMaxNameBytes);
    const size_t end = window.find("}}");
    const std::string_view name =
        end == std::string_view::npos ? std::string_view() : trimmed(window.substr(0, end));
    if (!is_variable_name(name)) {
      ++at;
      continue;
    }
    literal(text.substr(begin, at - begin));
    variable(name);
    at = begin = at + 2 + end + 2;
  }
  literal(text.substr(begin));
}

}  // namespace

bool is_variable_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes || !starts_name(name.front())) return false;
  return std::ranges::all_of(name, [](char c) { return starts_name(c) || (c >= '0' && c <= '9'); });
}

std::vector<std::string> placeholders(std::string_view text) {
  std::vector<std::string> names;
  walk(
      text, [](std::string_view) {},
      [&](std::string_view name) {
        if (std::ranges::find(names, name) == names.end()) names.emplace_back(name);
      });
  return names;
}

std::string fill(std::string_view text,
                 const std::function<std::string(std::string_view name)>& value_of) {
  std::string out;
  walk(
      text, [&](std::string_view part) { out += part; },
      [&](std::string_view name) { out += value_of(name); });
  return out;
}

}  // namespace strata::api
