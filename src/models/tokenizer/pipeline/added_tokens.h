// The format's added tokens: found in the text before anything else, or (normalized) in the
// normalised text. Of those that begin at one place the longest holds, then the search goes on
// behind it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/byte_trie.h"
#include "models/tokenizer/special_matcher.h"

namespace strata::models {

struct AddedToken {
  TokenId id = -1;
  std::string content;
  bool single_word = false;  // not beside a character of a word
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // ... and behind it
  bool normalized = false;   // looked for in normalised text
  bool special = false;      // a control token: never in what is not trusted
};

// How much of [begin, end) of the text that is searched comes from outside.
enum class Trust : uint8_t { trusted, mixed, untrusted };
using TrustOf = std::function<Trust(size_t begin, size_t end)>;

class AddedTokens {
 public:
  // Those whose `normalized` is as asked.
  AddedTokens(const std::vector<AddedToken>& tokens, bool normalized);

  bool empty() const { return entries_.empty(); }
  bool has_special() const { return has_special_; }
  // The text cut at the tokens it spells, in order; stripped white space belongs to its token.
  // Special tokens count where trust() says trusted.
  std::vector<Fragment> split(std::string_view text, const TrustOf& trust) const;

 private:
  struct Entry {
    TokenId id = -1;
    bool single_word = false, lstrip = false, rstrip = false, special = false;
  };
  // The longest token that begins at `begin` (index into entries_) and its end; -1: none.
  int32_t match_at(std::string_view text, size_t begin, size_t& end) const;

  ByteTrie trie_;  // its ids are indices into entries_
  std::vector<Entry> entries_;
  bool has_special_ = false;
};

}  // namespace strata::models
