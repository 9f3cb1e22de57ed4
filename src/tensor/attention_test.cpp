// Attention against double precision, and that a query's bits depend on its position alone.
#include "tensor/attention.h"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/threads.h"
#include "tensor/half.h"
#include "tensor/kernels/emulated_test.h"
#include "tensor/ops.h"
#include "tensor/testing/random_weights.h"

namespace strata::tensor {
namespace {

using testing::random_row;

struct Case {
  int32_t head_dim, n_heads, n_kv_heads, n_positions, window;
  float soft_cap;
};

constexpr Case kCases[] = {
    {64, 9, 3, 700, 0, 0}, {64, 4, 4, 300, 0, 0}, {256, 4, 1, 530, 512, 0}, {128, 8, 2, 290, 64, 0},
    {80, 5, 1, 270, 0, 0}, {8, 2, 1, 40, 7, 0},   {96, 6, 2, 257, 100, 30}, {64, 50, 1, 300, 0, 0},
};

// One sequence of one layer: its cache and queries.
class World {
 public:
  explicit World(const Case& c) : c_(c) {
    shape_.head_dim = c.head_dim;
    const int32_t n_pages = (c.n_positions + shape_.page_positions() - 1) / shape_.page_positions();
    const int64_t n_all = int64_t{n_pages} * c.n_kv_heads;
    memory_ = Buffer(static_cast<size_t>(n_all * shape_.page_bytes()));
    for (int64_t i = 0; i < n_all; ++i) {
      pages_.push_back(memory_.as<uint16_t>() + (n_all - 1 - i) * shape_.page_elements());
    }
    keys_ = random_row(int64_t{c.n_positions} * c.n_kv_heads * c.head_dim, 1);
    values_ = random_row(int64_t{c.n_positions} * c.n_kv_heads * c.head_dim, 2);
    queries_ = random_row(int64_t{c.n_positions} * c.n_heads * c.head_dim, 3);
    n_pages_ = n_pages;
    for (int32_t p = 0; p < c.n_positions; ++p) {
      for (int32_t h = 0; h < c.n_kv_heads; ++h) {
        write_kv(shape_, page(h, p), p % shape_.page_positions(), key(p, h), value(p, h));
      }
    }
  }

  uint16_t* page(int32_t head, int32_t position) {
    return const_cast<uint16_t*>(
        pages_[static_cast<size_t>(head * n_pages_ + position / shape_.page_positions())]);
  }
  const float* key(int32_t p, int32_t h) const {
    return keys_.data() + (int64_t{p} * c_.n_kv_heads + h) * c_.head_dim;
  }
  const float* value(int32_t p, int32_t h) const {
    return values_.data() + (int64_t{p} * c_.n_kv_heads + h) * c_.head_dim;
  }
  int64_t width() const { return int64_t{c_.n_heads} * c_.head_dim; }

  // The outputs of all positions, computed in pieces of the given lengths, by n_threads.
  std::vector<float> run(int32_t piece, int n_threads) {
    std::vector<float> out(queries_.size(), NAN);
    Team team(n_threads);
    AttentionStep step;
    for (int32_t p = 0; p < c_.n_positions; p += piece) {
      const int32_t n = std::min(piece, c_.n_positions - p);
      std::vector<AttentionSpan> spans;  // the piece in two spans, as two sequences would be
      const int32_t half = n > 3 ? n / 3 : n;
      spans.push_back({p, half, p, pages_.data(), n_pages_});
      if (half < n) spans.push_back({p + half, n - half, p + half, pages_.data(), n_pages_});
      step.plan({c_.n_heads, c_.n_kv_heads, shape_, scale(), c_.soft_cap, c_.window,
                 queries_.data(), width(), out.data(), width()},
                spans);
      team.run([&](int thread) {
        step.run(thread, n_threads);
        team.barrier();
        step.finish(thread, n_threads);
      });
    }
    return out;
  }

  float scale() const { return 1.0f / std::sqrt(static_cast<float>(c_.head_dim)); }

  // Output of one query head in double precision, from the cache's bf16.
  std::vector<double> expected(int32_t p, int32_t head) const {
    const int32_t kv = head / (c_.n_heads / c_.n_kv_heads);
    const int32_t first = c_.window > 0 ? std::max(0, p - c_.window + 1) : 0;
    std::vector<double> scores;
    double top = -INFINITY;
    for (int32_t j = first; j <= p; ++j) {
      double s = 0;
      for (int32_t d = 0; d < c_.head_dim; ++d) {
        const float q = queries_[static_cast<size_t>(p * width() + head * c_.head_dim + d)];
        s += double{bf16_to_f32(f32_to_bf16(q))} * double{bf16_to_f32(f32_to_bf16(key(j, kv)[d]))};
      }
      s *= double{scale()};
      if (c_.soft_cap != 0) s = double{c_.soft_cap} * std::tanh(s / double{c_.soft_cap});
      scores.push_back(s);
      top = std::max(top, s);
    }
    double total = 0;
    std::vector<double> out(static_cast<size_t>(c_.head_dim), 0.0);
    for (int32_t j = first; j <= p; ++j) {
      const double weight = std::exp(scores[static_cast<size_t>(j - first)] - top);
      total += weight;
      for (int32_t d = 0; d < c_.head_dim; ++d) {
        out[static_cast<size_t>(d)] += weight * double{bf16_to_f32(f32_to_bf16(value(j, kv)[d]))};
      }
    }
    for (double& x : out) x /= total;
    return out;
  }

 private:
  Case c_;
  KvShape shape_;
  Buffer memory_;
  std::vector<const uint16_t*> pages_;
  int32_t n_pages_ = 0;
  std::vector<float> keys_, values_, queries_;
};

class Attention : public ::testing::TestWithParam<const KernelSet*> {
 protected:
  void SetUp() override { use_kernels(GetParam()); }
  void TearDown() override { use_kernels(nullptr); }
};

TEST_P(Attention, MeetsDoublePrecision) {
  const bool slow = is_slow(*GetParam());
  for (const Case& c : kCases) {
    if (slow && c.n_positions > 300) continue;
    World world(c);
    const auto out = world.run(c.n_positions, 1);
    for (int32_t p = 0; p < c.n_positions; p += 13) {
      for (int32_t h = 0; h < c.n_heads; ++h) {
        const auto expected = world.expected(p, h);
        for (int32_t d = 0; d < c.head_dim; ++d) {
          ASSERT_NEAR(out[static_cast<size_t>(p * world.width() + h * c.head_dim + d)],
                      expected[static_cast<size_t>(d)], 0.008)  // weights are bf16
              << "head dim " << c.head_dim << " position " << p << " head " << h;
        }
      }
    }
  }
}

TEST_P(Attention, PiecesAndThreadsDoNotChangeBits) {
  const bool slow = is_slow(*GetParam());
  for (const Case& c : kCases) {
    if (slow && c.head_dim != 80) continue;
    World world(c);
    const auto expected = world.run(c.n_positions, 1);
    for (const int32_t piece : {1, 3, 17, 64, 250}) {
      for (const int threads : {1, 2}) {
        if (threads == 2 && piece == 1 && c.n_positions > 300) continue;  // time
        const auto out = world.run(piece, threads);
        ASSERT_EQ(0, std::memcmp(out.data(), expected.data(), out.size() * sizeof(float)))
            << "head dim " << c.head_dim << ", pieces of " << piece << ", threads " << threads;
      }
    }
  }
}

TEST(KvPages, ReadBackWhatWasWritten) {
  for (const int32_t head_dim : {8, 64, 80, 256}) {
    const KvShape shape{head_dim};
    Buffer memory(static_cast<size_t>(shape.page_bytes()));
    std::vector<float> k(static_cast<size_t>(head_dim));
    std::vector<float> v(static_cast<size_t>(head_dim));
    for (const bool reading : {false, true}) {
      for (int32_t slot = 0; slot < shape.page_positions(); ++slot) {
        const auto key = random_row(head_dim, static_cast<uint32_t>(slot));
        const auto value = random_row(head_dim, static_cast<uint32_t>(1000 + slot));
        if (!reading) {
          write_kv(shape, memory.as<uint16_t>(), slot, key.data(), value.data());
          continue;
        }
        read_kv(shape, memory.as<uint16_t>(), slot, k.data(), v.data());
        for (size_t d = 0; d < k.size(); ++d) {
          ASSERT_EQ(k[d], bf16_to_f32(f32_to_bf16(key[d])));
          ASSERT_EQ(v[d], bf16_to_f32(f32_to_bf16(value[d])));
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sets, Attention, ::testing::ValuesIn(tested_kernels()),
                         [](const auto& set) {
                           std::string name = set.param->name;
                           std::erase_if(name, [](char c) { return c == '-' || c == ' '; });
                           return name;
                         });

}  // namespace
}  // namespace strata::tensor
