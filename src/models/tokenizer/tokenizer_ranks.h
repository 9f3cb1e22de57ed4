// Reads tokenizers whose file lists byte strings by rank: Mistral's tekken.json.
#pragma once

#include <memory>
#include <string_view>

#include "models/tokenizer/tokenizer_json.h"

namespace strata::models {

// Pattern and special tokens are in the file (of its first version, known).
// Errors: invalid_argument (malformed), unimplemented.
std::shared_ptr<const Tokenizer> tokenizer_from_tekken(std::string_view tekken_json,
                                                       const TokenizerFacts& facts,
                                                       int32_t n_vocab);

}  // namespace strata::models
