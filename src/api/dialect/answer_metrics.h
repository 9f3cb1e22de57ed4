// What the metrics count of answers, the same for every dialect.
#pragma once

#include <chrono>
#include <string>

#include "core/metrics.h"
#include "inference/engine.h"

namespace strata::api {

// Of one request; begins when it is made. One thread at a time.
class AnswerMetrics {
 public:
  AnswerMetrics(Metrics& metrics, std::string model);
  void token();  // a piece of the answer; the first one is timed
  // `counts_prompt`: once for each request, whatever its choices.
  void finished(const inference::Usage& usage, bool counts_prompt);

 private:
  Metrics& metrics_;
  const std::string model_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  bool seen_first_ = false;
};

}  // namespace strata::api
