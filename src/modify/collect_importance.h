// Makes an importance matrix: runs a text through a model and sums the squares of what each matrix
// is multiplied with.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "models/model.h"
#include "modify/importance.h"

namespace strata::modify {

struct CollectOptions {
  int32_t context = 512;   // tokens of a chunk; a shorter rest is left out
  int32_t max_chunks = 0;  // 0: all
  int n_threads = 1;
  std::optional<int32_t> bos{};  // the token each chunk begins with
  // Tokens; after each step of a chunk. False ends the work with Error{cancelled}.
  std::function<bool(int64_t done, int64_t total)> progress{};
};

// By the float32 executor: the model's weights take 4 bytes each in memory. The head is left out.
// Error{invalid_argument} when the tokens do not fill one chunk.
Importance collect_importance(std::shared_ptr<const models::Model> model,
                              std::span<const int32_t> tokens, const CollectOptions& options);

}  // namespace strata::modify
