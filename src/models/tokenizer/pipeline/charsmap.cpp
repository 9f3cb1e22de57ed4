#include "models/tokenizer/pipeline/charsmap.h"

#include <cstring>

#include "core/error.h"
#include "core/utf8.h"

namespace strata::models {
namespace {

// A unit of the double array, as Darts-clone lays it out.
uint32_t offset_of(uint32_t unit) {
  return (unit >> 10) << ((unit & (1u << 9)) >> 6);
}
uint32_t label_of(uint32_t unit) {
  return unit & ((1u << 31) | 0xFF);
}
bool has_value(uint32_t unit) {
  return ((unit >> 8) & 1) == 1;
}
uint32_t value_of(uint32_t unit) {
  return unit & ((1u << 31) - 1);
}

[[noreturn]] void refuse(std::string_view why) {
  throw Error(Code::invalid_argument, fmt::format("precompiled charsmap: {}", why));
}

}  // namespace

Charsmap::Charsmap(std::string_view bytes) {
  uint32_t size = 0;
  if (bytes.size() < sizeof size) refuse("shorter than its head");
  std::memcpy(&size, bytes.data(), sizeof size);
  if (size % sizeof(uint32_t) != 0 || size == 0 || size > bytes.size() - sizeof size) {
    refuse(fmt::format("a trie of {} bytes in {}", size, bytes.size()));
  }
  units_.resize(size / sizeof(uint32_t));
  std::memcpy(units_.data(), bytes.data() + sizeof size, size);
  texts_ = bytes.substr(sizeof size + size);
  if (!is_valid_utf8(texts_)) refuse("its replacements are no valid UTF-8");
}

std::optional<Charsmap::Match> Charsmap::find(std::string_view text, bool first) const {
  std::optional<Match> best;
  uint64_t at = offset_of(units_[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if (byte == 0) break;
    at ^= byte;
    if (at >= units_.size() || label_of(units_[at]) != byte) break;
    const uint32_t unit = units_[at];
    at ^= offset_of(unit);
    if (!has_value(unit)) continue;
    if (at >= units_.size()) refuse("its trie points outside");
    const size_t begin = value_of(units_[at]);
    if (begin > texts_.size()) refuse("its trie points outside of its replacements");
    const size_t end = std::min(texts_.find('\0', begin), texts_.size());
    best = Match{i + 1, std::string_view(texts_).substr(begin, end - begin)};
    if (!is_valid_utf8(best->replacement)) refuse("a replacement begins inside a character");
    if (first) break;
  }
  return best;
}

}  // namespace strata::models
