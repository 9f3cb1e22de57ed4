// Where a text goes on as another one did: its last tokens, hashed and compared.
#pragma once

#include <cstdint>
#include <span>

namespace strata::inference {

// Different tokens may have the same hash.
uint64_t ngram_hash(std::span<const int32_t> tokens);
// How many of the last tokens of both are the same, up to `most`.
int32_t common_end(std::span<const int32_t> a, std::span<const int32_t> b, int32_t most);

}  // namespace strata::inference
