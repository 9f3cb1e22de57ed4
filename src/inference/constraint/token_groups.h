// A vocabulary's tokens by the characters that they are made of, so that all tokens of certain
// characters are found without a look at each.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "inference/constraint/characters.h"
#include "inference/constraint/token_mask.h"

namespace strata::inference {

// From any thread.
class TokenGroups {
 public:
  // Tokens with ids below n_words * 64. 190 sets of n_words.
  TokenGroups(std::span<const int32_t> tokens, size_t n_words,
              const std::function<std::string_view(int32_t)>& bytes_of);

  // The tokens of whole characters that have these only, and no more than `longest`.
  std::shared_ptr<const TokenBits> tokens_of(const Characters& of, int32_t longest) const;
  // The tokens that have one of these; with those beyond ASCII also what has parts of characters.
  TokenBits tokens_with(const Characters& some) const;
  bool has(int32_t token, const Characters& some) const;

 private:
  struct Set {
    Characters of;
    int32_t longest = 0;
    bool operator==(const Set&) const = default;
  };
  struct Long {
    int32_t characters = 0;
    int32_t token = 0;
  };
  // Of with_: of each ASCII character one, of four, 16 and 64 together, of all beyond ASCII.
  static constexpr size_t kFours = 128, kSixteens = 160, kSixtyFours = 168, kBeyond = 170;
  static constexpr size_t kCounted = 16;  // characters

  void add(int32_t token, std::string_view text);
  TokenBits find(const Set& set) const;
  std::vector<const TokenBits*> sets_with(const Characters& some) const;

  const size_t n_words_;
  const size_t n_kept_words_;                // of a set, with those that fill it up
  TokenBits whole_;                          // tokens of whole characters
  std::array<TokenBits, kBeyond + 1> with_;  // by characters; empty: no token has any
  std::array<TokenBits, kCounted> longer_;   // than so many characters
  std::vector<Long> long_;                   // what has more than kCounted
  int32_t longest_ = 0;                      // characters
  mutable std::mutex mutex_;
  mutable std::list<std::pair<Set, std::shared_ptr<const TokenBits>>> kept_;  // used last first
};

}  // namespace strata::inference
