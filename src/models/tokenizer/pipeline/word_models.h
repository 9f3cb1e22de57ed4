// Word models beside byte-pair encoding: WordPiece, Unigram, WordLevel.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/tokenizer/vocabulary.h"
#include "models/tokenizer/word_model.h"

namespace strata::models {

struct WordPieceRules {
  std::string prefix = "##";    // of a piece that does not begin its word
  std::string first_prefix;     // of one that does
  size_t max_characters = 100;  // of a word; longer ones are unknown as a whole
  TokenId unknown = -1;         // must be a token
};
// Greedy, the longest piece first; a word with a part that is no token is unknown as a whole. The
// scheme: Wu et al. 2016, "Google's Neural Machine Translation System", as BERT uses it.
std::unique_ptr<const WordModel> make_word_piece(const Vocabulary& vocabulary,
                                                 WordPieceRules rules);

struct UnigramRules {
  std::vector<double> scores;     // log probabilities, one a token
  std::optional<double> lowest;   // of those that count for unknown text; else of all
  TokenId unknown = -1;           // -1: a text that needs it is refused
  bool byte_fallback = false;     // what is unknown becomes its bytes, where each has a token
  bool fuse_unknown = true;       // neighbours that are unknown become one
  double unknown_penalty = 10;    // below the lowest score
  bool single_precision = false;  // sums are float32, which decides between equals
};
// The likeliest segmentation (Kudo 2018, "Subword Regularization", 3.1), by Viterbi's algorithm.
std::unique_ptr<const WordModel> make_unigram(const Vocabulary& vocabulary, UnigramRules rules);

// A word is a token or unknown; unknown < 0: such a word is refused.
std::unique_ptr<const WordModel> make_word_level(const Vocabulary& vocabulary, TokenId unknown);

}  // namespace strata::models
