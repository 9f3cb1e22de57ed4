// Finds control and user-defined tokens in a text and cuts it there.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "models/tokenizer/byte_trie.h"
#include "models/tokenizer/vocabulary.h"

namespace strata::models {

// White space that a control token takes with it, as its model was trained.
struct StripRules {
  std::vector<bool> left;   // one a token, or empty: none strips
  std::vector<bool> right;  // likewise
};

// A stretch of text (token < 0) or one token that was spelled out.
struct Fragment {
  size_t begin = 0;
  size_t end = 0;
  TokenId token = -1;
};

// The first of the ascending ranges that shares a byte with [begin, end); null: none does.
const TextRange* first_touched(std::span<const TextRange> ranges, size_t begin, size_t end);

class SpecialMatcher {
 public:
  // `vocabulary` must outlive the matcher.
  SpecialMatcher(const Vocabulary& vocabulary, StripRules strip);

  // The fragments of `text` in order. A longer token wins over a shorter one that overlaps it,
  // then the one further left. Control (and unknown) tokens whose spelling touches an untrusted
  // range are text. Time: linear, times the number of tokens that overlap each other at one place.
  std::vector<Fragment> split(std::string_view text, std::span<const TextRange> untrusted) const;

 private:
  // A place where tokens are spelled, with no overlap to the next such place.
  struct Cluster {
    size_t begin = 0;
    size_t end = 0;
    std::vector<TokenId> tokens;  // found in it, each once
    size_t n_found = 0;
  };

  bool may_match(TokenId id, size_t begin, std::span<const TextRange> untrusted) const;
  void resolve(std::string_view text, std::span<const TextRange> untrusted, Cluster& cluster,
               std::vector<Fragment>& found) const;
  std::vector<Fragment> fill_gaps(std::string_view text, const std::vector<Fragment>& found) const;

  const Vocabulary* vocabulary_;
  StripRules strip_;
  ByteTrie trie_;
};

}  // namespace strata::models
