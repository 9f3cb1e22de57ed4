#include "core/recent_log.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace strata {
namespace {

constexpr size_t kShortestSecret = 6;  // what is shorter is a word

// What comes before a secret, in lower case. `whole`: the prefix is a part of the secret, which
// begins where no word goes on.
struct Mark {
  std::string_view prefix;
  bool whole;
};
constexpr std::array kMarks{
    Mark{"sk-", true},      Mark{"hf_", true},   Mark{"session-strata-", true},
    Mark{"bearer ", false}, Mark{"key=", false}, Mark{"token=", false}};

bool is_secret_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.' ||
         c == '~' || c == '+' || c == '/' || c == '%';
}

bool stands_at(std::string_view text, size_t at, std::string_view prefix) {
  if (text.size() - at < prefix.size()) return false;
  return std::equal(
      prefix.begin(), prefix.end(), text.begin() + static_cast<ptrdiff_t>(at),
      [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
}

// The length of the secret at that place, and how much before it stays; 0: there is none.
size_t secret_at(std::string_view text, size_t at, size_t& kept) {
  for (const Mark& mark : kMarks) {
    if (!stands_at(text, at, mark.prefix)) continue;
    const bool inside = at > 0 && std::isalnum(static_cast<unsigned char>(text[at - 1])) != 0;
    if (mark.whole && inside) continue;
    size_t end = at + mark.prefix.size();
    while (end < text.size() && is_secret_char(text[end])) ++end;
    if (end - at - mark.prefix.size() < kShortestSecret) continue;
    kept = mark.prefix.size();
    return end - at;
  }
  return 0;
}

}  // namespace

std::string mask_secrets(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t kept = 0;
    const size_t length = secret_at(text, at, kept);
    if (length == 0) {
      out += text[at++];
      continue;
    }
    out += text.substr(at, kept);
    out += "…";
    at += length;
  }
  return out;
}

}  // namespace strata
