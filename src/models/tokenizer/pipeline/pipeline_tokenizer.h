// A tokenizer assembled from the bricks of the tokenizer.json format: added tokens, normalisers,
// pre-tokenizers, a word model, a template and decoders.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "models/tokenizer/pipeline/added_tokens.h"
#include "models/tokenizer/pipeline/decoder.h"
#include "models/tokenizer/pipeline/normalizer.h"
#include "models/tokenizer/pipeline/post_template.h"
#include "models/tokenizer/pipeline/word_splitter.h"
#include "models/tokenizer/tokenizer_base.h"
#include "models/tokenizer/word_model.h"

namespace strata::models {

struct Pipeline {
  std::vector<AddedToken> added;
  Normalizers normalizers;
  WordSplitters splitters;
  std::unique_ptr<const WordModel> model;
  PostTemplate wrap;
  Decoder decoder;
};

// Makes the parts, which may look into the vocabulary: it has its place by then.
using MakePipeline = std::function<Pipeline(const Vocabulary& vocabulary)>;

std::shared_ptr<const Tokenizer> make_pipeline_tokenizer(Vocabulary vocabulary,
                                                         const MakePipeline& make);

}  // namespace strata::models
