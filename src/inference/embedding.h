// Texts as vectors: what is asked of an engine and what comes back.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/error.h"
#include "models/family/spec.h"

namespace strata::inference {

struct EmbeddingInput {
  std::vector<int32_t> ids;
  // Tokens from here on have type 1 (the second text of a pair); 0: none has.
  int32_t second_begin = 0;
};

struct Embedding {
  std::vector<float> vector;  // pooled, [n_embd], not normalised
  std::vector<float> scores;  // of a model with a score head, else empty
};

// The vectors of one request, in the order of its inputs, or why there are none.
using EmbeddingSink = std::function<void(std::vector<Embedding>&& embeddings, const Error* error)>;

// Error{invalid_argument} with the input at fault: empty, a token that the vocabulary does not
// have, more tokens than `context`.
void check_embedding_inputs(const models::ModelSpec& spec, std::span<const EmbeddingInput> inputs,
                            int32_t context);

// Divides by the Euclidean norm; a vector of zeros stays as it is.
void normalize(std::span<float> vector);

}  // namespace strata::inference
