#include "inference/perplexity.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"
#include "inference/float32_ops.h"

namespace strata::inference {
namespace {

// Mean and spread of negative log-likelihoods.
class Scores {
 public:
  void add(double nll) {
    sum_ += nll;
    squares_ += nll * nll;
    ++count_;
  }

  void end_chunk() {
    chunks_.push_back((sum_ - sum_before_) / static_cast<double>(count_ - count_before_));
    sum_before_ = sum_;
    count_before_ = count_;
  }

  Perplexity result() const {
    const auto n = static_cast<double>(count_);
    const double mean = sum_ / n;
    const double variance = std::max(0.0, squares_ / n - mean * mean);
    const double value = std::exp(mean);
    return {.value = value,
            .standard_error = count_ > 1 ? value * std::sqrt(variance / (n - 1.0)) : 0.0,
            .n_scored = count_,
            .n_chunks = static_cast<int32_t>(chunks_.size()),
            .chunk_nll = chunks_};
  }

 private:
  double sum_ = 0.0;
  double squares_ = 0.0;
  int64_t count_ = 0;
  double sum_before_ = 0.0;  // at the end of the chunk before
  int64_t count_before_ = 0;
  std::vector<double> chunks_;
};

double log_of_sum(std::span<const float> logits) {
  const float maximum = *std::max_element(logits.begin(), logits.end());
  double total = 0.0;
  for (const float logit : logits) total += static_cast<double>(std::exp(logit - maximum));
  return static_cast<double>(maximum) + std::log(total);
}

struct Comparison {
  double reference_nll = 0.0;
  double judged_nll = 0.0;
  double kl = 0.0;
  bool same_top = false;
};

Comparison compare(std::span<const float> reference, std::span<const float> judged, int32_t token) {
  const double reference_sum = log_of_sum(reference);
  const double judged_sum = log_of_sum(judged);
  double kl = 0.0;
  for (size_t i = 0; i < reference.size(); ++i) {
    const double log_p = static_cast<double>(reference[i]) - reference_sum;
    const double log_q = static_cast<double>(judged[i]) - judged_sum;
    kl += static_cast<double>(std::exp(static_cast<float>(log_p))) * (log_p - log_q);
  }
  const auto top = [](std::span<const float> x) {
    return std::max_element(x.begin(), x.end()) - x.begin();
  };
  return {
      .reference_nll = reference_sum - static_cast<double>(reference[static_cast<size_t>(token)]),
      .judged_nll = judged_sum - static_cast<double>(judged[static_cast<size_t>(token)]),
      .kl = kl,
      .same_top = top(reference) == top(judged)};
}

// The chunks of a text, and the rows of a chunk step by step.
class Chunks {
 public:
  Chunks(std::span<const int32_t> tokens, const PerplexityOptions& options)
      : tokens_(tokens), options_(options) {
    const auto context = static_cast<size_t>(std::max(options.context, 1));
    if (options.context < 4 || options.rows_per_step < 1 || tokens.size() < context) {
      throw Error(Code::invalid_argument,
                  fmt::format("{} tokens in chunks of {}, {} rows a step: nothing to score",
                              tokens.size(), options.context, options.rows_per_step));
    }
    n_chunks_ = static_cast<int32_t>(tokens.size() / context);
    if (options.max_chunks > 0) n_chunks_ = std::min(n_chunks_, options.max_chunks);
  }

  int32_t size() const { return n_chunks_; }

  int32_t token(int32_t chunk, int32_t position) const {
    if (position == 0 && options_.bos.has_value()) return *options_.bos;
    return tokens_[static_cast<size_t>(chunk) * static_cast<size_t>(options_.context) +
                   static_cast<size_t>(position)];
  }

  void tell_progress(int32_t chunk) const {
    if (!options_.progress) return;
    options_.progress(int64_t{chunk + 1} * options_.context, int64_t{n_chunks_} * options_.context);
  }

  std::vector<Row> rows(int32_t chunk, int32_t begin, SequenceId sequence) const {
    const int32_t end = std::min(begin + options_.rows_per_step, options_.context);
    std::vector<Row> result;
    for (int32_t p = begin; p < end; ++p) {
      result.push_back({.token = token(chunk, p),
                        .position = p,
                        .sequence = sequence,
                        .wants_logits = p >= options_.context / 2 && p + 1 < options_.context});
    }
    return result;
  }

 private:
  std::span<const int32_t> tokens_;
  const PerplexityOptions& options_;
  int32_t n_chunks_ = 0;
};

std::vector<int32_t> targets_of(const Chunks& chunks, int32_t chunk, std::span<const Row> rows) {
  std::vector<int32_t> targets;
  for (const Row& row : rows) {
    if (row.wants_logits) targets.push_back(chunks.token(chunk, row.position + 1));
  }
  return targets;
}

double percentile(const std::vector<double>& sorted, double share) {
  const auto last = static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<size_t>(std::llround(last * share))];
}

}  // namespace

Perplexity measure_perplexity(const ExecutorFactory& factory, std::span<const int32_t> tokens,
                              const PerplexityOptions& options) {
  const Chunks chunks(tokens, options);
  const auto executor = factory();
  Scores scores;
  for (int32_t chunk = 0; chunk < chunks.size(); ++chunk) {
    const SequenceId sequence = executor->create_sequence(options.context);
    for (int32_t begin = 0; begin < options.context; begin += options.rows_per_step) {
      const auto rows = chunks.rows(chunk, begin, sequence);
      const auto targets = targets_of(chunks, chunk, rows);
      const auto logits = executor->step(rows);
      const size_t width = targets.empty() ? 0 : logits.size() / targets.size();
      for (size_t i = 0; i < targets.size(); ++i) {
        const auto row = logits.subspan(i * width, width);
        scores.add(log_of_sum(row) - static_cast<double>(row[static_cast<size_t>(targets[i])]));
      }
    }
    executor->remove_sequence(sequence);
    scores.end_chunk();
    chunks.tell_progress(chunk);
  }
  return scores.result();
}

Divergence measure_divergence(const ExecutorFactory& reference_factory,
                              const ExecutorFactory& judged_factory,
                              std::span<const int32_t> tokens, const PerplexityOptions& options) {
  const Chunks chunks(tokens, options);
  const auto reference = reference_factory();
  const auto judged = judged_factory();
  Scores reference_scores;
  Scores judged_scores;
  std::vector<double> kls;
  int64_t n_same = 0;
  for (int32_t chunk = 0; chunk < chunks.size(); ++chunk) {
    const SequenceId a = reference->create_sequence(options.context);
    const SequenceId b = judged->create_sequence(options.context);
    for (int32_t begin = 0; begin < options.context; begin += options.rows_per_step) {
      const auto rows = chunks.rows(chunk, begin, a);
      const auto targets = targets_of(chunks, chunk, rows);
      const auto expected = reference->step(rows);
      const auto found = judged->step(chunks.rows(chunk, begin, b));
      const size_t width = targets.empty() ? 0 : expected.size() / targets.size();
      std::vector<Comparison> compared(targets.size());
      parallel_ranges(options.n_threads, static_cast<int64_t>(targets.size()),
                      [&](int64_t first, int64_t last) {
                        for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last);
                             ++i) {
                          compared[i] = compare(expected.subspan(i * width, width),
                                                found.subspan(i * width, width), targets[i]);
                        }
                      });
      for (const auto& c : compared) {
        reference_scores.add(c.reference_nll);
        judged_scores.add(c.judged_nll);
        kls.push_back(c.kl);
        n_same += c.same_top;
      }
    }
    reference->remove_sequence(a);
    judged->remove_sequence(b);
    reference_scores.end_chunk();
    judged_scores.end_chunk();
    chunks.tell_progress(chunk);
  }
  Divergence result{.reference = reference_scores.result(), .judged = judged_scores.result()};
  for (const double kl : kls) result.mean_kl += kl / static_cast<double>(kls.size());
  std::sort(kls.begin(), kls.end());
  result.median_kl = percentile(kls, 0.5);
  result.p999_kl = percentile(kls, 0.999);
  result.top1_agreement = static_cast<double>(n_same) / static_cast<double>(kls.size());
  return result;
}

}  // namespace strata::inference
