// SentencePiece's precompiled charsmap: a double-array trie (Darts) from byte strings to offsets in
// a block of replacement texts that end in a zero byte. Layout: uint32 size of the trie in bytes,
// the trie's units (uint32, little-endian), then the texts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strata::models {

class Charsmap {
 public:
  // Errors: invalid_argument when a length or an offset points outside, a key is longer than
  // kMaxCharsmapKey, or the trie is none.
  explicit Charsmap(std::string_view bytes);

  struct Match {
    size_t length = 0;  // of what is replaced, in bytes
    std::string_view replacement;
  };
  // The shortest, or the longest, key that `text` begins with.
  std::optional<Match> shortest(std::string_view text) const { return find(text, true); }
  std::optional<Match> longest(std::string_view text) const { return find(text, false); }

 private:
  size_t check_keys(uint64_t base, size_t depth, std::vector<uint16_t>& lengths) const;
  void check_value(uint64_t base) const;
  std::optional<Match> find(std::string_view text, bool first) const;

  std::vector<uint32_t> units_;
  std::string texts_;
};

}  // namespace strata::models
