// A vocabulary's tokens by the characters that they are made of, so that all tokens of certain
// characters are found without a look at each.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "inference/constraint/characters.h"
#include "inference/constraint/token_mask.h"

namespace strata::inference {

// From any thread.
class TokenGroups {
 public:
  // Tokens of whole characters, with ids below n_words * 64; bytes_of: of a token, as long as this
  // lives.
  TokenGroups(const std::vector<int32_t>& tokens, size_t n_words,
              std::function<std::string_view(int32_t)> bytes_of);

  // The tokens that have these characters only, and no more than `longest`.
  std::shared_ptr<const TokenBits> tokens_of(const Characters& of, int32_t longest) const;

 private:
  // Tokens of the same kinds of characters, those with the fewest first.
  struct Group {
    Characters kinds;
    int32_t first = 0, end = 0;  // of members_
    int32_t longest = 0;         // characters
    int32_t whole = -1;          // of wholes_
  };
  struct Member {
    int32_t token = 0;
    int32_t characters = 0;
  };

  struct Set {
    Characters of;
    int32_t longest = 0;
    bool operator==(const Set&) const = default;
  };

  TokenBits find(const Characters& of) const;
  void leave_out_longer(const Set& set, TokenBits& bits) const;

  const size_t n_words_;
  const std::function<std::string_view(int32_t)> bytes_of_;
  std::vector<Group> groups_;
  std::vector<Member> members_;
  std::vector<TokenBits> wholes_;  // of large groups, where these cost less than the members
  int32_t longest_ = 0;            // characters
  mutable std::mutex mutex_;
  mutable std::list<std::pair<Set, std::shared_ptr<const TokenBits>>> kept_;  // used last first
};

}  // namespace strata::inference
