// Makes a tokenizer.json of the files that tokenizers were published as before it: vocab.txt of
// WordPiece, or vocab.json with merges.txt of byte-level BPE. What the files leave open is what
// transformers takes (BertTokenizer, GPT2Tokenizer, RobertaTokenizer, Qwen2Tokenizer).
#pragma once

#include <string>
#include <string_view>

#include "models/tokenizer/tokenizer_json.h"

namespace strata::models {

// `files`: config.json's model_type says the class where no file does.
// Errors of both: invalid_argument with file and field; unimplemented: a class of tokenizer that is
// none of these, by name.
std::string tokenizer_json_of_words(std::string_view vocab_txt, const TokenizerFiles& files);
std::string tokenizer_json_of_merges(std::string_view vocab_json, std::string_view merges_txt,
                                     const TokenizerFiles& files);

}  // namespace strata::models
