// Reads tokenizers whose file lists byte strings by rank: Mistral's tekken.json, and tiktoken's
// files.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "models/tokenizer/tokenizer_json.h"
#include "models/tokenizer/vocabulary.h"

namespace strata::models {

// Tokens by their bytes, each rank being its id, behind tekken's special tokens.
struct RankedModel {
  Vocabulary vocabulary;
  std::string pattern;
};
RankedModel read_tekken(std::string_view tekken_json, const TokenizerFacts& facts, int32_t n_vocab);

// Pattern and special tokens are in the file (of its first version, known).
// Errors: invalid_argument (malformed), unimplemented.
std::shared_ptr<const Tokenizer> tokenizer_from_tekken(std::string_view tekken_json,
                                                       const TokenizerFacts& facts,
                                                       int32_t n_vocab);

// tiktoken's: a line for each token, its bytes in base64 and its rank. Neither pattern nor special
// tokens are in the file: as transformers' TikTokenConverter takes them, the pattern is the one of
// most such vocabularies, special tokens are those of `facts` behind the ranks, and ids between
// them are reserved. Of a folder with a program of its own the pattern is that program's.
// Errors: invalid_argument (malformed), unimplemented (a program that is not known).
RankedModel read_tiktoken(std::string_view text, const TokenizerFacts& facts, int32_t n_vocab);
bool is_tiktoken(std::string_view text);
std::shared_ptr<const Tokenizer> tokenizer_from_tiktoken(std::string_view text,
                                                         const TokenizerFacts& facts,
                                                         int32_t n_vocab);

}  // namespace strata::models
