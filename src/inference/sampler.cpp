#include "inference/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "inference/noise.h"

namespace strata::inference {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kLargest = std::numeric_limits<float>::max();
constexpr float kMaxMu = 1e6f;  // bits: far beyond every surprise, so that mu stays a number

// The last n of the history; n = -1: all of it.
std::span<const int32_t> last(std::span<const int32_t> history, int32_t n) {
  if (n < 0 || static_cast<size_t>(n) >= history.size()) return history;
  return history.last(static_cast<size_t>(n));
}

// Divides what is positive and multiplies what is negative, so that a penalty above 1 always makes
// a token less likely (Keskar et al., "CTRL", 2019, with the sign mended as all engines do).
void penalise(std::span<float> logits, const SamplerParams& p, std::span<const int32_t> history) {
  const std::span<const int32_t> window = last(history, p.repeat_last_n);
  std::vector<int32_t> ids(window.begin(), window.end());
  std::sort(ids.begin(), ids.end());
  for (size_t begin = 0, end = 0; begin < ids.size(); begin = end) {
    while (end < ids.size() && ids[end] == ids[begin]) ++end;
    const auto id = static_cast<size_t>(ids[begin]);
    if (ids[begin] < 0 || id >= logits.size()) continue;
    float& logit = logits[id];
    logit = logit <= 0.0f ? logit * p.repeat_penalty : logit / p.repeat_penalty;
    logit -= static_cast<float>(end - begin) * p.frequency_penalty + p.presence_penalty;
  }
}

bool penalises(const SamplerParams& p) {
  return p.repeat_last_n != 0 &&
         (p.repeat_penalty != 1.0f || p.presence_penalty != 0.0f || p.frequency_penalty != 0.0f);
}

// A race of exponential variates: the token with the least E / weight wins, with a probability
// proportional to its weight (the Gumbel-max trick, without its two logarithms). Each token's E
// comes from its own number, so the winner does not depend on the order or on tokens that lose.
class Race {
 public:
  explicit Race(NoiseKey key) : key_(key) {}

  void enter(int32_t id, double weight) {
    if (weight == 0.0) return;
    const double u = uniform(key_, static_cast<uint64_t>(id));
    if (u >= best_ * weight) return;  // -log1p(-u) > u: cannot win, no logarithm needed
    const double time = -std::log1p(-u) / weight;
    if (time > best_ || (time == best_ && id > winner_)) return;
    best_ = time;
    winner_ = id;
  }
  int32_t winner() const { return winner_; }

 private:
  NoiseKey key_;
  double best_ = std::numeric_limits<double>::infinity();
  int32_t winner_ = -1;
};

int32_t draw(std::span<const Candidate> candidates, std::span<const double> probabilities,
             NoiseKey key) {
  Race race(key);
  for (size_t i = 0; i < candidates.size(); ++i) race.enter(candidates[i].id, probabilities[i]);
  return race.winner();
}

int32_t draw_from_all(std::span<const float> logits, float max, float temperature, NoiseKey key) {
  Race race(key);
  std::array<float, 256> weights{};
  for (size_t begin = 0; begin < logits.size(); begin += weights.size()) {
    const size_t n = std::min(weights.size(), logits.size() - begin);
    exponentials(logits.subspan(begin, n), max, temperature, weights);
    for (size_t i = 0; i < n; ++i) {
      race.enter(static_cast<int32_t>(begin + i), static_cast<double>(weights[i]));
    }
  }
  return race.winner();
}

}  // namespace

Sampler::Sampler(SamplerParams params, int32_t choice, std::shared_ptr<const DryBreakers> breakers)
    : params_(std::move(params)),
      choice_(static_cast<uint64_t>(choice)),
      breakers_(std::move(breakers)),
      mirostat_mu_(2.0f * params_.mirostat_tau) {}

bool Sampler::changes_logits() const {
  return !params_.logit_bias.empty() || penalises(params_) || params_.dry_multiplier > 0.0f;
}

// The logits with bias and penalties. What no longer is a number or is -inf can't be chosen; +inf
// becomes the largest number, so that differences stay numbers.
std::span<const float> Sampler::adjusted(std::span<const float> logits,
                                         std::span<const int32_t> history) {
  std::span<const float> result = logits;
  if (changes_logits()) {
    scratch_.assign(logits.begin(), logits.end());
    for (const auto& [id, bias] : params_.logit_bias) {
      if (static_cast<size_t>(id) < scratch_.size()) scratch_[static_cast<size_t>(id)] += bias;
    }
    if (penalises(params_)) penalise(scratch_, params_, history);
    if (params_.dry_multiplier > 0.0f) {
      const DryBreakers none;
      for (const auto& [id, penalty] :
           dry_penalties(params_, breakers_ ? *breakers_ : none, history)) {
        if (id >= 0 && static_cast<size_t>(id) < scratch_.size()) {
          scratch_[static_cast<size_t>(id)] -= penalty;
        }
      }
    }
    result = scratch_;
  }
  const float max = max_logit(result);
  if (!(max > -kInfinity)) {
    throw Error(Code::internal,
                fmt::format("no token is left to choose from: all {} logits are -inf or no numbers",
                            logits.size()),
                "look for a logit_bias that bans every token, or check the model file's hash");
  }
  if (max < kInfinity) return result;
  if (!changes_logits()) scratch_.assign(logits.begin(), logits.end());
  for (float& logit : scratch_) logit = logit > kLargest ? kLargest : logit;
  return scratch_;
}

// A greedy choice, and a chain that begins with top-k, look at the greatest only. What may fall by
// bias or penalty, m tokens, leaves the n + m greatest to look at; what may rise, every token.
int32_t Sampler::n_likeliest() const {
  const SamplerParams& p = params_;
  const bool greedy = p.temperature <= 0.0f;
  if (!greedy && (p.top_k == 0 || p.top_n_sigma > 0.0f || p.mirostat != 0)) return 0;
  int64_t n = greedy ? 1 : p.top_k;
  if (p.dry_multiplier > 0.0f) return 0;
  if (penalises(p)) {
    const bool falls =
        p.repeat_penalty >= 1.0f && p.presence_penalty >= 0.0f && p.frequency_penalty >= 0.0f;
    if (!falls || p.repeat_last_n < 0) return 0;
    n += p.repeat_last_n;
  }
  for (const auto& [id, bias] : p.logit_bias) {
    if (!(bias <= 0.0f)) return 0;
    ++n;
  }
  return static_cast<int32_t>(std::min<int64_t>(n, INT32_MAX));
}

bool Sampler::keeps_all() const {
  const SamplerParams& p = params_;
  return p.mirostat == 0 && p.top_n_sigma <= 0.0f && p.top_k == 0 && p.typical_p >= 1.0f &&
         p.top_p >= 1.0f && p.min_p <= 0.0f && p.xtc_probability <= 0.0f;
}

std::vector<Candidate> Sampler::survivors(std::span<const float> logits, float max,
                                          size_t position) const {
  const SamplerParams& p = params_;
  if (p.mirostat == 2) {
    return at_least(logits, surprise_threshold(logits, max, mirostat_mu_, p.temperature));
  }
  float floor = -kLargest;
  if (p.top_n_sigma > 0.0f) floor = sigma_threshold(logits, max, p.top_n_sigma);
  const bool typical = p.typical_p < 1.0f;
  bool top_p = p.top_p < 1.0f;
  std::vector<Candidate> kept;
  if (p.top_k > 0 && static_cast<size_t>(p.top_k) < logits.size()) {
    kept = top_k(logits, p.top_k);
    std::erase_if(kept, [&](const Candidate& c) { return c.logit < floor; });
  } else if (top_p && !typical) {
    kept = nucleus(logits, max, floor, p.top_p);
    top_p = false;
  } else {
    const bool early_min_p = p.min_p > 0.0f && !typical;
    kept = at_least(logits, early_min_p ? std::max(floor, max + std::log(p.min_p)) : floor);
  }
  if (typical) keep_typical(kept, p.typical_p);
  if (top_p) keep_top_p(kept, p.top_p);
  if (p.min_p > 0.0f) keep_min_p(kept, p.min_p);
  if (p.xtc_probability > 0.0f) {
    const NoiseKey key = noise_key(p.seed, choice_, position, NoiseUse::xtc);
    if (uniform(key, 0) <= static_cast<double>(p.xtc_probability)) {
      exclude_top_choices(kept, p.xtc_threshold);
    }
  }
  return kept;
}

int32_t Sampler::sample(std::span<const float> logits, std::span<const int32_t> history) {
  const std::span<const float> changed = adjusted(logits, history);
  if (params_.temperature <= 0.0f) return argmax(changed);
  const float max = max_logit(changed);
  const NoiseKey key = noise_key(params_.seed, choice_, history.size(), NoiseUse::token);
  if (keeps_all()) return draw_from_all(changed, max, params_.temperature, key);
  const std::vector<Candidate> kept = survivors(changed, max, history.size());
  const std::vector<double> probabilities = softmax(kept, params_.temperature);
  const int32_t id = draw(kept, probabilities, key);
  if (params_.mirostat == 2) {
    const auto chosen =
        std::find_if(kept.begin(), kept.end(), [&](const Candidate& c) { return c.id == id; });
    const double p = probabilities[static_cast<size_t>(chosen - kept.begin())];
    const auto surprise = static_cast<float>(-std::log2(p));
    mirostat_mu_ = std::clamp(
        mirostat_mu_ - params_.mirostat_eta * (surprise - params_.mirostat_tau), -kMaxMu, kMaxMu);
  }
  return id;
}

std::vector<WeightedToken> Sampler::distribution(std::span<const float> logits,
                                                 std::span<const int32_t> history) {
  const std::span<const float> changed = adjusted(logits, history);
  if (params_.temperature <= 0.0f) return {{argmax(changed), 1.0}};
  std::vector<Candidate> kept = survivors(changed, max_logit(changed), history.size());
  std::sort(kept.begin(), kept.end(), likelier);
  const std::vector<double> probabilities = softmax(kept, params_.temperature);
  std::vector<WeightedToken> result;
  for (size_t i = 0; i < kept.size(); ++i) result.push_back({kept[i].id, probabilities[i]});
  return result;
}

}  // namespace strata::inference
