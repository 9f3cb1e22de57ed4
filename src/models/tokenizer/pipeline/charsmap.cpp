#include "models/tokenizer/pipeline/charsmap.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/utf8.h"
#include "models/tokenizer/tokenizer_limits.h"

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
  if (bytes.size() > kMaxCharsmapBytes) {
    refuse(fmt::format("{} bytes, the limit is {}", bytes.size(), kMaxCharsmapBytes));
  }
  units_.resize(size / sizeof(uint32_t));
  std::memcpy(units_.data(), bytes.data() + sizeof size, size);
  texts_ = bytes.substr(sizeof size + size);
  if (!is_valid_utf8(texts_)) refuse("its replacements are no valid UTF-8");
  check_values();
}

// Of every node that can be reached; each once, since nodes may lead back to others.
void Charsmap::check_values() const {
  std::vector<bool> seen((units_.size() | 255) + 1);
  std::vector<uint64_t> bases{offset_of(units_[0])};  // a node's children lie at its base ^ byte
  while (!bases.empty()) {
    const uint64_t base = bases.back();
    bases.pop_back();
    if (base >= seen.size() || seen[base]) continue;
    seen[base] = true;
    for (uint32_t byte = 1; byte < 256; ++byte) {
      const uint64_t at = base ^ byte;
      if (at >= units_.size() || label_of(units_[at]) != byte) continue;
      const uint64_t child = at ^ offset_of(units_[at]);
      if (has_value(units_[at])) check_value(child);
      bases.push_back(child);
    }
  }
}

void Charsmap::check_value(uint64_t base) const {
  if (base >= units_.size()) refuse("its trie points outside");
  const size_t begin = value_of(units_[base]);
  if (begin > texts_.size()) refuse("its trie points outside of its replacements");
  if (begin < texts_.size() && (static_cast<uint8_t>(texts_[begin]) & 0xC0) == 0x80) {
    refuse("a replacement begins inside a character");
  }
}

std::optional<Charsmap::Match> Charsmap::find(std::string_view text, bool first) const {
  size_t length = 0;  // of the key found
  size_t begin = 0;   // of its replacement
  uint64_t at = offset_of(units_[0]);
  // A map whose nodes lead back would be walked to the end of the text, from every byte of it.
  const size_t most = std::min(text.size(), kMaxCharsmapKey);
  for (size_t i = 0; i < most; ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if (byte == 0) break;
    at ^= byte;
    if (at >= units_.size() || label_of(units_[at]) != byte) break;
    const uint32_t unit = units_[at];
    at ^= offset_of(unit);
    if (!has_value(unit)) continue;
    length = i + 1;
    begin = value_of(units_[at]);
    if (first) break;
  }
  if (length == 0) return std::nullopt;
  const size_t end = std::min(texts_.find('\0', begin), texts_.size());
  return Match{length, std::string_view(texts_).substr(begin, end - begin)};
}

}  // namespace strata::models
