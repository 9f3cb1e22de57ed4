// A brick: how one word becomes token ids.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/tokenizer.h"
#include "models/tokenizer/word_merger.h"

namespace strata::models {

// The best way to an offset of a word, for models that search for one.
struct BestPath {
  double score = 0;
  TokenId id = -1;
  int32_t begin = -1;  // where the piece that ends here begins; -1: none was found yet
};

// What one encode uses again for each word, so that nothing is allocated a word.
struct WordScratch {
  std::vector<Symbol> symbols;
  WordMerger merger;
  std::string spelling;
  std::vector<BestPath> paths;
  int lost_byte = -1;  // a byte for which the vocabulary has no token and no unknown one
};

class WordModel {
 public:
  virtual ~WordModel() = default;
  // Appends the ids of a word of valid UTF-8, which is not empty. Thread-safe.
  virtual void encode(std::string_view word, WordScratch& scratch,
                      std::vector<TokenId>& ids) const = 0;
};

}  // namespace strata::models
