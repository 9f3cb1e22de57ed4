// Reads a tokenizer from SentencePiece's own file (tokenizer.model, spiece.model: a protobuf).
#pragma once

#include <memory>
#include <string_view>

#include "models/tokenizer/pipeline/sentence_pipeline.h"
#include "models/tokenizer/tokenizer_json.h"

namespace strata::models {

// What such a file says.
struct SentenceModel {
  Vocabulary vocabulary;
  SentenceRules rules;  // its charsmap lies in `model`
};
SentenceModel read_sentencepiece(std::string_view model, const TokenizerFacts& facts,
                                 int32_t n_vocab);

// Models of type BPE and Unigram. `facts` and `n_vocab` as of tokenizer_from_json; where the facts
// name no token the file's own roles hold. In trusted text control tokens are recognised, which
// SentencePiece itself leaves to its caller.
// Errors: invalid_argument (malformed), unimplemented (types WORD and CHAR, spaces behind words).
std::shared_ptr<const Tokenizer> tokenizer_from_sentencepiece(std::string_view model,
                                                              const TokenizerFacts& facts,
                                                              int32_t n_vocab);

}  // namespace strata::models
