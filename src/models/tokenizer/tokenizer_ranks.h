// Reads tokenizers whose file lists byte strings by rank: Mistral's tekken.json.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "models/tokenizer/tokenizer_json.h"
#include "models/tokenizer/vocabulary.h"

namespace strata::models {

// What tekken.json says: tokens by their bytes, specials first, each rank being its id.
struct TekkenModel {
  Vocabulary vocabulary;
  std::string pattern;
};
TekkenModel read_tekken(std::string_view tekken_json, const TokenizerFacts& facts, int32_t n_vocab);

// Pattern and special tokens are in the file (of its first version, known).
// Errors: invalid_argument (malformed), unimplemented.
std::shared_ptr<const Tokenizer> tokenizer_from_tekken(std::string_view tekken_json,
                                                       const TokenizerFacts& facts,
                                                       int32_t n_vocab);

}  // namespace strata::models
