#include "inference/candidates.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/check.h"

namespace strata::inference {
namespace {

constexpr float kLowest = std::numeric_limits<float>::lowest();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr size_t kLanes = 16;   // independent maxima or sums: whole vectors on every machine
constexpr size_t kChunk = 256;  // logits whose exponentials stand in a buffer at one time

float block_max(std::span<const float> block) {
  std::array<float, kLanes> lanes;
  lanes.fill(-kInfinity);
  size_t i = 0;
  for (; i + kLanes <= block.size(); i += kLanes) {
    for (size_t j = 0; j < kLanes; ++j) {
      lanes[j] = block[i + j] > lanes[j] ? block[i + j] : lanes[j];
    }
  }
  float best = -kInfinity;
  for (float lane : lanes) best = lane > best ? lane : best;
  for (; i < block.size(); ++i) best = block[i] > best ? block[i] : best;
  return best;
}

// buffer[i] = exp((logits[i] - max) / temperature)
void exp_chunk(std::span<const float> logits, float max, float temperature,
               std::array<float, kChunk>& buffer) {
  if (logits.size() == kChunk) {
    for (size_t i = 0; i < kChunk; ++i) {
      buffer[i] = exp_nonpositive((logits[i] - max) / temperature);
    }
    return;
  }
  for (size_t i = 0; i < logits.size(); ++i) {
    buffer[i] = exp_nonpositive((logits[i] - max) / temperature);
  }
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

// x = n ln 2 + r with |r| <= ln 2 / 2; polynomial of degree 7 (Moshier, Cephes, expf).
float exp_nonpositive(float x) {
  constexpr float kSmallest = -87.0f;
  const float clamped = x > kSmallest ? x : kSmallest;
  const float rounded = clamped * 1.44269504088896341f + 12582912.0f;  // 1.5 * 2^23: rounds
  const float n = rounded - 12582912.0f;
  float r = clamped - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const int32_t exponent = std::bit_cast<int32_t>(rounded) - 0x4B400000 + 127;
  const float scale = std::bit_cast<float>(static_cast<uint32_t>(exponent) << 23);
  return x >= kSmallest ? p * scale : 0.0f;
}

float max_logit(std::span<const float> logits) {
  return block_max(logits);
}

double sum_exp(std::span<const float> logits, float max, float temperature) {
  std::array<double, kLanes> lanes{};
  std::array<float, kChunk> buffer{};
  for_each_chunk(logits, [&](size_t, std::span<const float> chunk) {
    exp_chunk(chunk, max, temperature, buffer);
    for (size_t i = 0; i < chunk.size(); ++i) lanes[i % kLanes] += static_cast<double>(buffer[i]);
  });
  return std::accumulate(lanes.begin(), lanes.end(), 0.0);
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
  constexpr size_t kBins = 2048;
  constexpr float kBinsPerNat = 32.0f;
  std::vector<double> bins(kBins, 0.0);
  std::array<float, kChunk> buffer{};
  for_each_chunk(logits, [&](size_t, std::span<const float> chunk) {
    exp_chunk(chunk, max, 1.0f, buffer);
    for (size_t i = 0; i < chunk.size(); ++i) {
      if (buffer[i] == 0.0f || chunk[i] < floor) continue;
      const float bin = (max - chunk[i]) * kBinsPerNat;  // below 87 * 32
      bins[std::min(static_cast<size_t>(bin), kBins - 1)] += static_cast<double>(buffer[i]);
    }
  });
  const double total = std::accumulate(bins.begin(), bins.end(), 0.0);
  size_t last = 0;
  for (double sum = bins[0]; last + 1 < kBins && sum < p * total; sum += bins[last]) ++last;
  // One bin more than needed, for the rounding of the sums.
  const bool cut = last + 2 < kBins;
  const float bound = max - static_cast<float>(last + 2) / kBinsPerNat;
  std::vector<Candidate> kept = at_least(logits, cut ? std::max(floor, bound) : floor);
  keep_top_p(kept, p, total);
  return kept;
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
  const auto weigh = [&](auto begin, auto end) {
    double sum = 0.0;
    for (auto it = begin; it != end; ++it) sum += weight(*it, max);
    return sum;
  };
  if (total == 0.0) total = weigh(candidates.begin(), candidates.end());
  // Narrows [begin, end) to where the boundary lies; what stands before is kept.
  constexpr std::ptrdiff_t kSortable = 1024;
  double missing = static_cast<double>(p) * total;
  auto begin = candidates.begin();
  auto end = candidates.end();
  while (end - begin > kSortable) {
    const auto middle = begin + (end - begin) / 2;
    std::nth_element(begin, middle, end, likelier);
    const double left = weigh(begin, middle);
    if (left >= missing) {
      end = middle;
    } else {
      missing -= left;
      begin = middle;
    }
  }
  std::sort(begin, end, likelier);
  for (double sum = 0.0; begin != end;) {
    sum += weight(*begin++, max);
    if (sum >= missing) break;
  }
  candidates.erase(begin, candidates.end());
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
  std::sort(scored.begin(), scored.end(), [](const Scored& a, const Scored& b) {
    if (a.distance != b.distance) return a.distance < b.distance;
    return likelier(a.candidate, b.candidate);
  });
  candidates.clear();
  double sum = 0.0;
  for (const Scored& s : scored) {
    candidates.push_back(s.candidate);
    sum += s.probability;
    if (sum > static_cast<double>(p)) break;
  }
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
