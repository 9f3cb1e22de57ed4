// Perplexity by llama.cpp's convention, and how far one executor is from another on the same text.
//
// The text is one run of tokens, cut into chunks of `context` tokens, a shorter rest dropped; where
// the model begins texts with BOS, each chunk's first token is replaced by it; only the second half
// of each chunk is scored (positions context / 2 to context - 2 predict their successor).
// Figures of other conventions are not comparable.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "inference/executor.h"

namespace strata::inference {

using ExecutorFactory = std::function<std::unique_ptr<Executor>()>;

struct PerplexityOptions {
  int32_t context = 512;
  int32_t max_chunks = 0;        // 0: all
  int32_t rows_per_step = 128;   // rows given to the executor at once
  std::optional<int32_t> bos{};  // the token each chunk begins with
  int n_threads = 1;             // of the comparison itself
  std::function<void(int64_t done, int64_t total)> progress{};  // tokens; after each chunk
};

struct Perplexity {
  double value = 0.0;           // exp(mean negative log-likelihood)
  double standard_error = 0.0;  // of value
  int64_t n_scored = 0;
  int32_t n_chunks = 0;
  std::vector<double> chunk_nll;  // of each chunk, the mean negative log-likelihood of a token
};

struct Divergence {
  Perplexity reference;
  Perplexity judged;
  double mean_kl = 0.0;  // KL(reference || judged) of the next-token distribution, in nats
  double median_kl = 0.0;
  double p999_kl = 0.0;         // 99.9th percentile
  double top1_agreement = 0.0;  // share of positions with the same most likely token
};

// Error{invalid_argument} when the tokens do not fill one chunk or the context is below 4.
Perplexity measure_perplexity(const ExecutorFactory& executor, std::span<const int32_t> tokens,
                              const PerplexityOptions& options);
Divergence measure_divergence(const ExecutorFactory& reference, const ExecutorFactory& judged,
                              std::span<const int32_t> tokens, const PerplexityOptions& options);

}  // namespace strata::inference
