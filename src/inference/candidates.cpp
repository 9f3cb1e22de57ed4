#include "inference/candidates.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>

#include "core/check.h"
#include "inference/lanes.h"

namespace strata::inference {
namespace {

constexpr float kLowest = std::numeric_limits<float>::lowest();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr size_t kChunk = 256;  // logits whose exponentials stand in a buffer at one time

float block_max(std::span<const float> block) {
  // Four independent maxima, so that none waits for the one before.
  Lanes a = fill_lanes(-kInfinity);
  Lanes b = a;
  Lanes c = a;
  Lanes d = a;
  size_t i = 0;
  for (; i + 4 * kLanes <= block.size(); i += 4 * kLanes) {
    a = greater(a, load_lanes(&block[i]));
    b = greater(b, load_lanes(&block[i + kLanes]));
    c = greater(c, load_lanes(&block[i + 2 * kLanes]));
    d = greater(d, load_lanes(&block[i + 3 * kLanes]));
  }
  const Lanes most = greater(greater(a, b), greater(c, d));
  float best = -kInfinity;
  for (size_t j = 0; j < kLanes; ++j) best = most[j] > best ? most[j] : best;
  for (; i < block.size(); ++i) best = block[i] > best ? block[i] : best;
  return best;
}

template <typename Visit>
void for_each_chunk(std::span<const float> logits, Visit visit) {
  for (size_t begin = 0; begin < logits.size(); begin += kChunk) {
    visit(begin, logits.subspan(begin, std::min(kChunk, logits.size() - begin)));
  }
}

float max_of(std::span<const Candidate> candidates) {
  float max = kLowest;
  for (const Candidate& c : candidates) max = std::max(max, c.logit);
  return max;
}

double weight(const Candidate& c, float max) {
  return std::exp(static_cast<double>(c.logit) - max);
}

double weigh(std::span<const Candidate> candidates, float max) {
  double sum = 0.0;
  for (const Candidate& c : candidates) sum += weight(c, max);
  return sum;
}

// Keeps the shortest beginning of the sorted items whose weights are enough; all when none is.
// Only the part around its end is ever sorted.
template <typename Item, typename Less, typename Weight, typename Enough>
void keep_until(std::vector<Item>& items, Less less, Weight weight_of, Enough enough) {
  constexpr std::ptrdiff_t kSortable = 1024;
  double before = 0.0;
  auto begin = items.begin();
  auto end = items.end();
  while (end - begin > kSortable) {
    const auto middle = begin + (end - begin) / 2;
    std::nth_element(begin, middle, end, less);
    double sum = before;
    for (auto it = begin; it != middle; ++it) sum += weight_of(*it);
    if (enough(sum)) {
      end = middle;
    } else {
      before = sum;
      begin = middle;
    }
  }
  std::sort(begin, end, less);
  while (begin != end) {
    before += weight_of(*begin++);
    if (enough(before)) break;
  }
  items.erase(begin, items.end());
}

// A lower bound of the k-th largest logit: the k-th largest of the maxima of disjoint blocks.
float kth_bound(std::span<const float> logits, size_t k) {
  const size_t block = k <= logits.size() / 1024 ? 256 : 32;
  std::vector<float> maxima;
  maxima.reserve(logits.size() / block + 1);
  for (size_t begin = 0; begin < logits.size(); begin += block) {
    maxima.push_back(block_max(logits.subspan(begin, std::min(block, logits.size() - begin))));
  }
  if (maxima.size() < k) return kLowest;
  const auto kth = maxima.begin() + static_cast<std::ptrdiff_t>(k - 1);
  std::nth_element(maxima.begin(), kth, maxima.end(), std::greater<>());
  return std::max(*kth, kLowest);
}

}  // namespace

float max_logit(std::span<const float> logits) {
  return block_max(logits);
}

void exponentials(std::span<const float> logits, float max, float temperature,
                  std::span<float> weights) {
  CHECK(weights.size() >= logits.size());
  const auto block = [&](const float* from, float* to) {
    const Lanes w = exp_nonpositive((load_lanes(from) - max) / temperature);
    std::memcpy(to, &w, sizeof w);
  };
  size_t i = 0;
  for (; i + kLanes <= logits.size(); i += kLanes) block(&logits[i], &weights[i]);
  if (i == logits.size()) return;
  std::array<float, kLanes> rest;
  rest.fill(-kInfinity);
  std::copy(logits.begin() + static_cast<std::ptrdiff_t>(i), logits.end(), rest.begin());
  block(rest.data(), rest.data());
  std::copy_n(rest.begin(), logits.size() - i, weights.begin() + static_cast<std::ptrdiff_t>(i));
}

double sum_exp(std::span<const float> logits, float max, float temperature) {
  std::array<float, kChunk> weights{};
  std::array<double, kLanes> sums{};
  for_each_chunk(logits, [&](size_t, std::span<const float> chunk) {
    if (chunk.size() < kChunk) weights.fill(0.0f);
    exponentials(chunk, max, temperature, weights);
    // Within a chunk float32 sums of 64 numbers each: an error far below that of the exponentials.
    Lanes sum{};
    for (size_t i = 0; i < kChunk; i += kLanes) sum += load_lanes(&weights[i]);
    for (size_t j = 0; j < kLanes; ++j) sums[j] += static_cast<double>(sum[j]);
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

int32_t argmax(std::span<const float> logits) {
  const float max = max_logit(logits);
  if (!(max > -kInfinity)) return -1;
  const auto first = std::find(logits.begin(), logits.end(), max);
  return static_cast<int32_t>(first - logits.begin());
}

float sigma_threshold(std::span<const float> logits, float max, float n) {
  const auto is_number = [](float x) { return x > -kInfinity; };
  std::array<double, kLanes> sum{};
  std::array<double, kLanes> count{};
  for (size_t i = 0; i < logits.size(); ++i) {
    sum[i % kLanes] += is_number(logits[i]) ? static_cast<double>(logits[i]) : 0.0;
    count[i % kLanes] += is_number(logits[i]) ? 1.0 : 0.0;
  }
  const double valid = std::accumulate(count.begin(), count.end(), 0.0);
  if (valid == 0.0) return max;
  const double mean = std::accumulate(sum.begin(), sum.end(), 0.0) / valid;
  std::array<double, kLanes> squares{};
  for (size_t i = 0; i < logits.size(); ++i) {
    const double distance = is_number(logits[i]) ? static_cast<double>(logits[i]) - mean : 0.0;
    squares[i % kLanes] += distance * distance;
  }
  const double sigma = std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0) / valid);
  return static_cast<float>(std::max<double>(kLowest, max - static_cast<double>(n) * sigma));
}

float surprise_threshold(std::span<const float> logits, float max, float mu, float temperature) {
  const double total = sum_exp(logits, max, temperature);
  const double log_probability = -static_cast<double>(mu) * std::log(2.0);
  const double logit = max + temperature * (std::log(total) + log_probability);
  return static_cast<float>(std::clamp<double>(logit, kLowest, max));
}

std::vector<Candidate> at_least(std::span<const float> logits, float floor) {
  const float lowest = std::max(floor, kLowest);
  std::vector<Candidate> kept;
  for_each_chunk(logits, [&](size_t begin, std::span<const float> chunk) {
    if (!(block_max(chunk) >= lowest)) return;
    for (size_t i = 0; i < chunk.size(); ++i) {
      if (chunk[i] >= lowest) kept.push_back({static_cast<int32_t>(begin + i), chunk[i]});
    }
  });
  return kept;
}

std::vector<Candidate> top_k(std::span<const float> logits, int32_t k) {
  CHECK(k >= 0);
  const size_t wanted = std::min(static_cast<size_t>(k), logits.size());
  if (wanted == 0) return {};
  std::vector<Candidate> best = at_least(logits, kth_bound(logits, wanted));
  const size_t n = std::min(wanted, best.size());
  const auto end = best.begin() + static_cast<std::ptrdiff_t>(n);
  std::partial_sort(best.begin(), end, best.end(), likelier);
  best.resize(n);
  return best;
}

std::vector<Candidate> nucleus(std::span<const float> logits, float max, float floor, float p) {
  const bool floored = floor > kLowest;
  double total = floored ? 0.0 : sum_exp(logits, max);
  if (floored) {
    for (const Candidate& c : at_least(logits, floor)) total += weight(c, max);
  }
  for (float gap = 2.0f;; gap *= 2.0f) {
    const bool all = gap > 64.0f || max - gap <= floor;
    std::vector<Candidate> kept = at_least(logits, all ? floor : max - gap);
    // A little more than p, for the rounding of the two sums.
    if (!all && weigh(kept, max) < static_cast<double>(p) * total * (1.0 + 1e-5)) continue;
    keep_top_p(kept, p, total);
    return kept;
  }
}

std::vector<double> softmax(std::span<const Candidate> candidates, float temperature) {
  const float max = max_of(candidates);
  std::vector<double> probabilities;
  probabilities.reserve(candidates.size());
  double sum = 0.0;
  for (const Candidate& c : candidates) {
    const double gap = static_cast<double>(c.logit) - static_cast<double>(max);
    probabilities.push_back(std::exp(gap / static_cast<double>(temperature)));
    sum += probabilities.back();
  }
  for (double& value : probabilities) value /= sum;
  return probabilities;
}

void keep_top_p(std::vector<Candidate>& candidates, float p, double total) {
  if (candidates.empty()) return;
  const float max = max_of(candidates);
  if (total == 0.0) total = weigh(candidates, max);
  keep_until(
      candidates, likelier, [&](const Candidate& c) { return weight(c, max); },
      [&](double sum) { return sum >= static_cast<double>(p) * total; });
}

void keep_min_p(std::vector<Candidate>& candidates, float min_p) {
  const float floor = max_of(candidates) + std::log(min_p);
  std::erase_if(candidates, [&](const Candidate& c) { return c.logit < floor; });
}

void keep_typical(std::vector<Candidate>& candidates, float p) {
  struct Scored {
    Candidate candidate;
    double probability;
    double distance;  // of the surprise from the entropy
  };
  const std::vector<double> probabilities = softmax(candidates, 1.0f);
  double entropy = 0.0;
  for (double q : probabilities) entropy -= q > 0.0 ? q * std::log(q) : 0.0;
  std::vector<Scored> scored;
  scored.reserve(candidates.size());
  for (size_t i = 0; i < candidates.size(); ++i) {
    const double q = probabilities[i];
    scored.push_back({candidates[i], q, std::abs(-std::log(q) - entropy)});
  }
  const auto nearer = [](const Scored& a, const Scored& b) {
    if (a.distance != b.distance) return a.distance < b.distance;
    return likelier(a.candidate, b.candidate);
  };
  keep_until(
      scored, nearer, [](const Scored& s) { return s.probability; },
      [&](double sum) { return sum > static_cast<double>(p); });
  candidates.clear();
  for (const Scored& s : scored) candidates.push_back(s.candidate);
}

void exclude_top_choices(std::vector<Candidate>& candidates, float threshold) {
  if (threshold > 0.5f || candidates.size() < 2) return;  // two such probabilities cannot be
  const std::vector<double> probabilities = softmax(candidates, 1.0f);
  const auto is_top = [&](size_t i) { return probabilities[i] >= static_cast<double>(threshold); };
  size_t least = candidates.size();
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (!is_top(i)) continue;
    if (least == candidates.size() || likelier(candidates[least], candidates[i])) least = i;
  }
  std::vector<Candidate> kept;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (!is_top(i) || i == least) kept.push_back(candidates[i]);
  }
  candidates = std::move(kept);
}

}  // namespace strata::inference
