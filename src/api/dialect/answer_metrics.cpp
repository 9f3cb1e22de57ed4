#include "api/dialect/answer_metrics.h"

#include <array>

namespace strata::api {
namespace {

constexpr std::array kFirstTokenBounds{0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0};

}  // namespace

AnswerMetrics::AnswerMetrics(Metrics& metrics, std::string model)
    : metrics_(metrics), model_(std::move(model)) {}

void AnswerMetrics::token() {
  if (seen_first_) return;
  seen_first_ = true;
  const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - began_;
  metrics_
      .histogram("strata_time_to_first_token_seconds", "From the request to its first token.",
                 kFirstTokenBounds, {{"model", model_}})
      .observe(waited.count());
}

void AnswerMetrics::finished(const inference::Usage& usage, bool counts_prompt) {
  const MetricLabels labels{{"model", model_}};
  metrics_.counter("strata_generated_tokens_total", "Tokens answered.", labels)
      .add(static_cast<uint64_t>(usage.completion_tokens));
  if (!counts_prompt) return;
  metrics_.counter("strata_prompt_tokens_total", "Tokens of prompts.", labels)
      .add(static_cast<uint64_t>(usage.prompt_tokens));
  metrics_
      .counter("strata_cached_tokens_total", "Tokens of prompts that were known already.", labels)
      .add(static_cast<uint64_t>(usage.cached_tokens));
}

}  // namespace strata::api
