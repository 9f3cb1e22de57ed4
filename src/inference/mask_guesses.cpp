#include "inference/mask_guesses.h"

#include <algorithm>
#include <cmath>

#include "inference/candidates.h"

namespace strata::inference {
namespace {

std::vector<Candidate> likeliest_of(std::span<const float> logits, const GuessRules& rules) {
  std::vector<Candidate> candidates;
  for (const int32_t id : rules.targets) {
    const float logit = logits[static_cast<size_t>(id)];
    if (std::isfinite(logit)) candidates.push_back({id, logit});
  }
  std::ranges::sort(candidates, likelier);
  candidates.resize(std::min(candidates.size(), static_cast<size_t>(rules.n)));
  return candidates;
}

}  // namespace

std::vector<Guess> guess_token(std::span<const float> logits, const GuessRules& rules) {
  const float max = max_logit(logits);
  const double total = sum_exp(logits, max);
  const auto candidates =
      rules.targets.empty() ? top_k(logits, rules.n) : likeliest_of(logits, rules);
  std::vector<Guess> guesses;
  for (const Candidate& candidate : candidates) {
    guesses.push_back({candidate.id, std::exp(double{candidate.logit} - double{max}) / total});
  }
  return guesses;
}

}  // namespace strata::inference
