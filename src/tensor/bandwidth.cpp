#include "tensor/bandwidth.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "tensor/buffer.h"

namespace strata::tensor {
namespace {

constexpr int kPasses = 4;

// Eight independent sums, so that loads and not additions are waited for.
uint64_t sum_of(const uint64_t* words, int64_t n) {
  std::array<uint64_t, 8> sums{};
  for (int64_t i = 0; i + 8 <= n; i += 8) {
    for (int64_t j = 0; j < 8; ++j) sums[static_cast<size_t>(j)] += words[i + j];
  }
  uint64_t total = 0;
  for (const uint64_t sum : sums) total += sum;
  return total;
}

}  // namespace

double read_bandwidth(Team& team, int64_t bytes) {
  const int64_t n_words = std::max<int64_t>(bytes, 1 << 20) / 8;
  const Buffer buffer(static_cast<size_t>(n_words) * 8);
  auto* words = buffer.as<uint64_t>();
  team.run([&](int thread) {  // resident, by the thread that will read it
    const Share share = share_of(n_words, thread, team.size());
    std::fill(words + share.begin, words + share.end, uint64_t{1});
  });
  std::vector<uint64_t> sums(static_cast<size_t>(team.size()));
  double best = 0.0;
  for (int pass = 0; pass < kPasses; ++pass) {
    const auto begin = std::chrono::steady_clock::now();
    team.run([&](int thread) {
      const Share share = share_of(n_words, thread, team.size());
      sums[static_cast<size_t>(thread)] += sum_of(words + share.begin, share.end - share.begin);
    });
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    best = std::max(best, static_cast<double>(n_words) * 8.0 / taken.count());
  }
  // What was read is used, or the compiler would not read it.
  return sums[0] == 0 ? 0.0 : best;
}

}  // namespace strata::tensor
