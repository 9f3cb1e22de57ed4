// Makes a tokenizer.json of the files that tokenizers were published as before it: vocab.txt of
// WordPiece, or vocab.json with merges.txt of byte-level BPE. What the files leave open is what
// transformers takes (BertTokenizer, GPT2Tokenizer, RobertaTokenizer, Qwen2Tokenizer).
#pragma once

#include <string>
#include <string_view>

namespace strata::models {

// The texts of the files beside them; empty where there is none.
struct OlderTokenizerFiles {
  std::string_view tokenizer_config;
  std::string_view special_tokens_map;
  std::string_view added_tokens;  // added_tokens.json
  std::string_view config;        // config.json, whose model_type says the class where no file does
};

// Errors of both: invalid_argument with file and field; unimplemented: a class of tokenizer that is
// none of these, by name.
std::string tokenizer_json_of_words(std::string_view vocab_txt, const OlderTokenizerFiles& files);
std::string tokenizer_json_of_merges(std::string_view vocab_json, std::string_view merges_txt,
                                     const OlderTokenizerFiles& files);

}  // namespace strata::models
