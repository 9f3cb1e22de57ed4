#include "api/gateway/scripted.h"
#include "core/ascii.h"
#include "core/utf8.h"

namespace strata::api {
namespace {

bool in_word(char c) {
  return is_ascii_alnum(c);
}

}  // namespace

std::vector<std::string> scripted_tokens(std::string_view text) {
  std::vector<std::string> tokens;
  size_t at = 0;
  while (at < text.size()) {
    const size_t begin = at;
    if (text[at] == ' ' && at + 1 < text.size() && in_word(text[at + 1])) ++at;
    if (in_word(text[at])) {
      while (at < text.size() && in_word(text[at]) && at - begin < 16) ++at;
    } else {
      at += std::max<size_t>(1, utf8_length_at(text, at));
    }
    tokens.emplace_back(text.substr(begin, at - begin));
  }
  return tokens;
}

// FNV-1a.
int32_t scripted_id(std::string_view token) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : token) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return static_cast<int32_t>(hash % kScriptedVocab);
}

}  // namespace strata::api
