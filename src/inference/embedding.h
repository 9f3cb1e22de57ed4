// Texts as vectors, scores or guesses for their masks: what is asked of an engine and what comes
// back.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/error.h"
#include "inference/mask_guesses.h"
#include "models/family/spec.h"

namespace strata::inference {

struct EmbeddingInput {
  std::vector<int32_t> ids;
  // Tokens from here on have type 1 (the second text of a pair); 0: none has.
  int32_t second_begin = 0;
  // Positions, ascending, whose tokens are to be guessed, by a model that fills in masks: then
  // guesses are wanted, no vector.
  std::vector<int32_t> masks{};
  std::shared_ptr<const GuessRules> rules{};  // of the masks; not null where there are any
};

struct Embedding {
  std::vector<float> vector;                  // pooled, [n_embd], not normalised
  std::vector<float> scores;                  // of a model with a score head, else empty
  std::vector<std::vector<Guess>> guesses{};  // of each of the input's masks
};

// The vectors of one request, in the order of its inputs, or why there are none.
using EmbeddingSink = std::function<void(std::vector<Embedding>&& embeddings, const Error* error)>;

// Error{invalid_argument} with the input at fault: empty, a token that the vocabulary does not
// have, more tokens than `context`, more masks than kMaxMasks. Error{failed_precondition}: the
// model makes nothing of what is asked.
void check_embedding_inputs(const models::ModelSpec& spec, std::span<const EmbeddingInput> inputs,
                            int32_t context);

// Divides by the Euclidean norm; a vector of zeros stays as it is.
void normalize(std::span<float> vector);

}  // namespace strata::inference
