// A flat hash table from a token's bytes to its id, made for a vocabulary that lies in the mapped
// file: 8 bytes a slot, no strings copied, filled in batches so that cache misses overlap.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace strata::models {

// 64-bit hash of short strings. Not for hostile use without a limit on probes.
inline uint64_t hash_bytes(std::string_view text) {
  constexpr uint64_t kA = 0x9E3779B97F4A7C15u, kB = 0xD6E8FEB86659FD93u;
  const auto mix = [](uint64_t a, uint64_t b) {
    const auto product = static_cast<unsigned __int128>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  uint64_t h = kA ^ (text.size() * kB);
  const char* at = text.data();
  size_t left = text.size();
  for (; left >= 8; at += 8, left -= 8) {
    uint64_t word;
    std::memcpy(&word, at, 8);
    h = mix(h ^ word, kB);
  }
  uint64_t tail = 0;
  if (left >= 4) {
    uint32_t low, high;
    std::memcpy(&low, at, 4);
    std::memcpy(&high, at + left - 4, 4);
    tail = low | (static_cast<uint64_t>(high) << 32);
  } else if (left > 0) {
    const auto byte = [at](size_t i) { return static_cast<uint64_t>(static_cast<uint8_t>(at[i])); };
    tail = byte(0) | byte(left / 2) << 8 | byte(left - 1) << 16;
  }
  return mix(h ^ tail, kA);
}

class TokenTable {
 public:
  TokenTable() = default;
  // `tokens` must outlive the table. Empty tokens are not found by any look-up.
  // Errors: invalid_argument when two tokens are spelled alike.
  explicit TokenTable(std::span<const std::string_view> tokens);

  // Id of the token with these bytes, or -1.
  int32_t find(std::string_view text) const { return find(text, hash_bytes(text)); }
  int32_t find(std::string_view text, uint64_t hash) const;
  // The same for a text that is known to be a token, from its hash alone, without reading any
  // token's bytes; of another text this may return any id. Meaningful only if has_unique_tags().
  int32_t find_member(uint64_t hash) const;
  // No two tokens can be confused by find_member (in a vocabulary that nobody crafted: almost
  // sure).
  bool has_unique_tags() const { return unique_tags_; }
  // Starts loading the slot that a look-up of this hash begins with.
  void prefetch(uint64_t hash) const { __builtin_prefetch(&slots_[hash & mask_]); }

 private:
  struct Slot {
    uint32_t tag = 0;
    int32_t id = -1;
  };
  static uint32_t tag_of(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }
  void insert(int32_t id, uint64_t hash);

  std::span<const std::string_view> tokens_;
  std::vector<Slot> slots_ = std::vector<Slot>(1);
  uint64_t mask_ = 0;
  bool unique_tags_ = true;
};

}  // namespace strata::models
