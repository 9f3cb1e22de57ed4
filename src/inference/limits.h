// The room's limits, each with its reason.
#pragma once

#include <cstdint>

namespace strata::inference {

// Alternatives a token: more than any interface offers (OpenAI 20), few enough to sort for each.
constexpr int32_t kMaxLogprobs = 128;

// Rows with logits of one prompt in one step, for prompt log-probabilities: 16 rows of 262,144
// floats are 16 MB.
constexpr int32_t kMaxPromptLogitRows = 16;

// Positions kept free for each running request before another one joins, so that the newcomer is
// not thrown out again at once.
constexpr int32_t kAdmissionHeadroom = 32;

// A request waits for an older one that is computing the same beginning when that brings it another
// so many positions: a block of the cache, which is what running requests share.
constexpr int32_t kSharedPositions = 128;

// Rows that speculation adds to a step, shared by the requests that decode: so many cost less than
// the step without them where decoding is bound by memory.
constexpr int32_t kMaxGuesses = 10;

// Of a file of beginnings, which is read when a model is loaded: 16 million tokens, more than a
// disk would be given for.
constexpr uint64_t kMaxPrefixIndexBytes = 64 << 20;
constexpr uint32_t kMaxPrefixNodes = 1 << 17;

// Tokens of a step that makes vectors: with so many, products reach the speed that they have with
// any number, and a request to generate that comes meanwhile waits for one step only.
constexpr int32_t kEmbeddingRows = 512;

// Masks of a text, and of a step that fills some in: logits of a vocabulary of 262,144 tokens are
// 32 MB then.
constexpr size_t kMaxMasks = 32;

constexpr int32_t kMaxBatch = 4096;
constexpr int32_t kMaxQueue = 1 << 20;
constexpr int32_t kMaxPrefillChunk = 1 << 16;

}  // namespace strata::inference
