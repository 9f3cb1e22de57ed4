// The vocabulary of a tokenizer.json: the model's tokens and the added ones.
#pragma once

#include "models/tokenizer/pipeline/added_tokens.h"
#include "models/tokenizer/pipeline/json_place.h"
#include "models/tokenizer/tokenizer_json.h"
#include "models/tokenizer/vocabulary.h"

namespace strata::models {

enum class ModelKind : uint8_t { bpe, word_piece, unigram, word_level };

struct JsonVocabulary {
  ModelKind kind = ModelKind::bpe;
  Vocabulary vocabulary;
  std::vector<AddedToken> added;
  std::vector<double> scores;  // of Unigram, one a token of the model
  TokenId unknown = -1;
};

// `root` is the whole document. Errors: invalid_argument, unimplemented.
JsonVocabulary read_json_vocabulary(const JsonPlace& root, const TokenizerFacts& facts,
                                    int32_t n_vocab);

}  // namespace strata::models
