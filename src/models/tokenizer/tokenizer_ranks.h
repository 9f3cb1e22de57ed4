// Reads tokenizers whose files list byte strings by rank: tiktoken's and Mistral's tekken.json.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/tokenizer_json.h"

namespace strata::models {

// What a .tiktoken file leaves to the program that reads it.
struct RankRules {
  std::string pattern;  // its matches are the words; as PCRE2 reads it
  struct Special {
    std::string content;
    TokenId id = -1;
  };
  std::vector<Special> special;
};

// Lines of base64 and rank; the rank is the id.
// Errors of both: invalid_argument (malformed), unimplemented.
std::shared_ptr<const Tokenizer> tokenizer_from_tiktoken(std::string_view file,
                                                         const RankRules& rules,
                                                         const TokenizerFacts& facts,
                                                         int32_t n_vocab);

// Pattern and special tokens are in the file (of its first version, known).
std::shared_ptr<const Tokenizer> tokenizer_from_tekken(std::string_view tekken_json,
                                                       const TokenizerFacts& facts,
                                                       int32_t n_vocab);

}  // namespace strata::models
