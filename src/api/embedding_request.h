// The one internal request for vectors or scores of texts, or for what their masks hide, which
// every dialect reads into.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/masked_texts.h"
#include "inference/embedding.h"

namespace strata::api {

struct EmbeddingText {
  std::string text;
  std::vector<int32_t> ids{};  // instead of the text, with whatever the caller put around them
};

// What is wanted of the masks of a text.
struct MaskWish {
  int32_t top_k = 5;                   // tokens for each
  std::vector<std::string> targets{};  // among these; empty: all
};

struct EmbeddingRequest {
  std::string model;
  std::vector<EmbeddingText> inputs;
  // Of the model's texts that go in front (models/text_prompts.h); without it the model's default.
  std::optional<std::string> prompt_name{};
  // Given: scores are wanted, not vectors, of each input as a document for this query.
  std::optional<std::string> query{};
  std::optional<MaskWish> masks{};  // given: tokens for the inputs' masks are wanted, not vectors
  bool truncate = false;  // cut inputs that are longer than the model takes; else they are refused
  std::optional<int32_t> most_tokens{};  // of an input, what is put around it not counted; cut too
  // Of an input with what is put around it, where `truncate` cuts at less than the model takes.
  std::optional<int32_t> most_read{};
  std::string ids_hint{};                  // for ids that the model's vocabulary does not have
  std::optional<int32_t> context{};        // positions to provide
  std::optional<int64_t> keep_alive_ms{};  // -1: for ever
  // Of vectors: so many of the first numbers (then normalised anew), and of length 1.
  std::optional<int32_t> dimensions{};
  bool normalized = true;
  std::string end_user{};  // as ChatRequest's
  std::string caller{};    // the same
};

struct EmbeddingAnswer {
  std::vector<inference::Embedding> embeddings;  // in the order of the inputs
  std::vector<std::string> labels;               // what scores are called; empty: nothing
  std::shared_ptr<const MaskedTexts> masked;     // of the inputs, where masks were asked for
  std::string notice;                            // what was done otherwise than asked
  int64_t n_tokens = 0;                          // of all inputs, as they were read
  int64_t n_cut = 0;                             // inputs of which not all was read
  int64_t load_ns = 0;                           // what the request waited for its model
};

// Called once, with the answer or with why there is none.
using EmbeddingAnswerSink = std::function<void(EmbeddingAnswer&&, const Error* error)>;

}  // namespace strata::api
