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
  // Errors: invalid_argument when a length or an offset points outside.
  explicit Charsmap(std::string_view bytes);

  struct Match {
    size_t length = 0;  // of what is replaced, in bytes
    std::string_view replacement;
  };
  // The shortest, or the longest, key that `text` begins with, of at most kMaxCharsmapKey bytes.
  std::optional<Match> shortest(std::string_view text) const { return find(text, true); }
  std::optional<Match> longest(std::string_view text) const { return find(text, false); }

 private:
  void check_values() const;
  void check_value(uint64_t base) const;
  std::optional<Match> find(std::string_view text, bool first) const;

  std::vector<uint32_t> units_;
  std::string texts_;
};

}  // namespace strata::models
