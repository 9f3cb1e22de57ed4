// Reads a WordPiece tokenizer from vocab.txt: one token a line, the line is its id. What is around
// the words stands in tokenizer_config.json, or is as BERT has it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "models/format/made_file.h"
#include "models/tokenizer/tokenizer_json.h"

namespace strata::models {

// The tokenizer.json that says the same (transformers, BertTokenizer).
// Errors: invalid_argument (malformed), unimplemented (no words of WordPiece, or words that are cut
// by another program first).
std::string json_of_word_list(std::string_view text, const TokenizerFacts& facts);

// tokenizer_from_json and set_gguf_vocabulary of it.
std::shared_ptr<const Tokenizer> tokenizer_from_word_list(std::string_view text,
                                                          const TokenizerFacts& facts,
                                                          int32_t n_vocab);
void set_gguf_word_list(MadeFile& file, std::string_view text, const TokenizerFacts& facts,
                        const std::shared_ptr<const Tokenizer>& tokenizer);

}  // namespace strata::models
