// The tokens that may come next, and the steps that thin them out. Each step is a pure function
// whose result does not depend on the order of its input: equal logits are ordered by id.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace strata::inference {

// A token that is still in the running. Its logit is finite.
struct Candidate {
  int32_t id = 0;
  float logit = 0.0f;
};

// Whether a comes before b when the most likely stands first.
constexpr bool likelier(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

// --- over all logits of the vocabulary; NaN and -inf are no candidates, +inf does not occur ---

// The greatest logit, NaN passed over; -inf when there is none.
float max_logit(std::span<const float> logits);
// Sum of exp((logit - max) / temperature), in blocks of fixed size and order.
double sum_exp(std::span<const float> logits, float max, float temperature = 1.0f);
// Index of the greatest logit, the first of equals; -1 when all are NaN or -inf.
int32_t argmax(std::span<const float> logits);
// max - n * standard deviation of the logits (Tang et al., "Top-nσ", 2024).
float sigma_threshold(std::span<const float> logits, float max, float n);
// The logit of a token with a surprise of mu bits: mirostat keeps what is at least as likely (Basu
// et al., "Mirostat", 2020).
float surprise_threshold(std::span<const float> logits, float max, float mu, float temperature);
// The candidates whose logit is at least `floor`, by id.
std::vector<Candidate> at_least(std::span<const float> logits, float floor);
// The k most likely, most likely first.
std::vector<Candidate> top_k(std::span<const float> logits, int32_t k);
// weights[i] = exp((logits[i] - max) / temperature), float32; 0 for what is no candidate.
void exponentials(std::span<const float> logits, float max, float temperature,
                  std::span<float> weights);
// What keep_top_p leaves of the candidates with logit >= floor. Looks at the likeliest only, and at
// more of them when these do not reach p.
std::vector<Candidate> nucleus(std::span<const float> logits, float max, float floor, float p);

// --- over candidates ---

// Probabilities in the candidates' order; they sum to 1.
std::vector<double> softmax(std::span<const Candidate> candidates, float temperature);
// Keeps the fewest most likely candidates whose probabilities reach p. `total` is the sum of
// exp(logit - maximum) that the probabilities refer to; 0: that of these candidates.
void keep_top_p(std::vector<Candidate>& candidates, float p, double total = 0.0);
// Keeps those at least min_p times as likely as the likeliest.
void keep_min_p(std::vector<Candidate>& candidates, float min_p);
// Keeps those whose surprise is nearest to the entropy until their probabilities exceed p (Meister
// et al., "Locally typical sampling", 2022).
void keep_typical(std::vector<Candidate>& candidates, float p);
// Drops, of the candidates with a probability of at least the threshold, all but the least likely.
void exclude_top_choices(std::vector<Candidate>& candidates, float threshold);

}  // namespace strata::inference
