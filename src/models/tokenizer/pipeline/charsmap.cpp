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
  std::vector<uint16_t> lengths((units_.size() | 255) + 1);
  check_keys(offset_of(units_[0]), 0, lengths);
}

// The keys' ends behind a node, whose children lie at `base ^ byte`, are no longer than the limit:
// a trie whose nodes lead back would be walked to the end of the text, from every byte of it. Many
// keys share an end: `lengths` keeps, plus one, those that were looked at.
size_t Charsmap::check_keys(uint64_t base, size_t depth, std::vector<uint16_t>& lengths) const {
  if (depth > kMaxCharsmapKey) {
    refuse(fmt::format("a key of more than {} bytes, or a trie that is none", kMaxCharsmapKey));
  }
  if (base >= lengths.size()) return 0;
  if (lengths[base] > 0) return lengths[base] - 1u;
  size_t longest = 0;
  for (uint32_t byte = 1; byte < 256; ++byte) {
    const uint64_t at = base ^ byte;
    if (at >= units_.size() || label_of(units_[at]) != byte) continue;
    const uint64_t child = at ^ offset_of(units_[at]);
    if (has_value(units_[at])) check_value(child);
    longest = std::max(longest, 1 + check_keys(child, depth + 1, lengths));
  }
  if (depth + longest > kMaxCharsmapKey) {
    refuse(fmt::format("a key of {} bytes, the limit is {}", depth + longest, kMaxCharsmapKey));
  }
  lengths[base] = static_cast<uint16_t>(longest + 1);
  return longest;
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
  for (size_t i = 0; i < text.size(); ++i) {
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
