// Attention against double precision, and that a query's bits depend on its position alone.
#include "tensor/attention.h"

#include <cmath>
#include <cstring>
#include <random>
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
  int32_t section = 0;
  bool has_sinks = false, has_slopes = false;

  int32_t first_seen(int32_t position) const {
    if (section > 0) return position - position % section;
    return window > 0 ? std::max(0, position - window + 1) : 0;
  }
};

constexpr Case kCases[] = {
    {64, 9, 3, 700, 0, 0},           {64, 4, 4, 300, 0, 0},
    {256, 4, 1, 530, 512, 0},        {128, 8, 2, 290, 64, 0},
    {80, 5, 1, 270, 0, 0},           {8, 2, 1, 40, 7, 0},
    {96, 6, 2, 257, 100, 30},        {64, 50, 1, 300, 0, 0},
    {64, 6, 2, 290, 40, 0, 0, true}, {64, 6, 6, 530, 0, 0, 0, false, true},
    {80, 5, 1, 560, 0, 0, 270},      {48, 4, 2, 300, 0, 0, 33, true, true},
};

constexpr KvFormat kFormats[] = {KvFormat::bf16, KvFormat::int8, KvFormat::int4};

// As above, by chance.
std::vector<Case> random_cases(uint32_t seed, int32_t n, int32_t most_positions) {
  std::mt19937 random(seed);
  const auto from = [&](int32_t low, int32_t high) {
    return low + static_cast<int32_t>(random() % static_cast<uint32_t>(high - low + 1));
  };
  std::vector<Case> cases;
  for (int32_t i = 0; i < n; ++i) {
    const int32_t n_kv_heads = from(1, 3);
    const int32_t n_positions = from(1, most_positions);
    cases.push_back({from(1, 140), n_kv_heads * from(1, 7), n_kv_heads, n_positions,
                     from(0, 1) * from(1, n_positions), static_cast<float>(from(0, 1)) * 20.0f});
  }
  return cases;
}

// One sequence of one layer: its cache and queries.
class World {
 public:
  World(const Case& c, KvFormat format) : World(c, KvShape{c.head_dim, format}) {}
  World(const Case& c, const KvShape& shape) : c_(c), shape_(shape) {
    const int32_t n_pages = (c.n_positions + shape_.page_positions() - 1) / shape_.page_positions();
    const int64_t n_all = int64_t{n_pages} * c.n_kv_heads;
    memory_ = Buffer(static_cast<size_t>(n_all * shape_.page_bytes()));
    for (int64_t i = 0; i < n_all; ++i) {
      pages_.push_back(memory_.as<uint16_t>() + (n_all - 1 - i) * shape_.page_words());
    }
    keys_ = uneven_rows(1);
    values_ = uneven_rows(2);
    queries_ = random_row(int64_t{c.n_positions} * c.n_heads * c.head_dim, 3);
    sinks_ = random_row(c.n_heads, 4);
    for (int32_t h = 0; h < c.n_heads; ++h) {
      for (int32_t s = -c.n_positions; s <= kBiasAhead; ++s)
        biases_.push_back(slope(h) * static_cast<float>(s));
    }
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

  // A position of a KV head again, its value all `x`.
  void set_value(int32_t p, int32_t h, float x) {
    const std::vector<float> value(static_cast<size_t>(c_.head_dim), x);
    write_kv(shape_, page(h, p), p % shape_.page_positions(), key(p, h), value.data());
  }

  void set_sinks(std::vector<float> sinks) { sinks_ = std::move(sinks); }

  void set_values_to_keys() {
    for (int32_t p = 0; p < c_.n_positions; ++p) {
      for (int32_t h = 0; h < c_.n_kv_heads; ++h) {
        write_kv(shape_, page(h, p), p % shape_.page_positions(), key(p, h), key(p, h));
      }
    }
  }

  // Rows of keys or values whose sizes differ with position, as their scales do, and inside of one.
  std::vector<float> uneven_rows(uint32_t seed) const {
    auto rows = random_row(int64_t{c_.n_positions} * c_.n_kv_heads * c_.head_dim, seed);
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto group = i % static_cast<size_t>(c_.head_dim) / 32;
      const auto row = i / static_cast<size_t>(c_.head_dim);
      rows[i] *= 0.25f * static_cast<float>(1 + (row + group) % 4);
    }
    return rows;
  }

  // The pages, null where no row of [begin, end) sees a position.
  std::vector<const uint16_t*> seen_pages(int32_t begin, int32_t end) const {
    std::vector<const uint16_t*> seen = pages_;
    const int32_t first = c_.first_seen(begin);
    for (size_t i = 0; i < seen.size(); ++i) {
      const int32_t position = static_cast<int32_t>(i) % n_pages_ * shape_.page_positions();
      if (position + shape_.page_positions() <= first || position >= end) seen[i] = nullptr;
    }
    return seen;
  }

  // The outputs of all positions, computed in pieces of the given lengths, by n_threads.
  std::vector<float> run(int32_t piece, int n_threads) {
    std::vector<float> out(queries_.size(), NAN);
    Team team(n_threads);
    AttentionStep step;
    for (int32_t p = 0; p < c_.n_positions; p += piece) {
      const int32_t n = std::min(piece, c_.n_positions - p);
      std::vector<AttentionSpan> spans;  // the piece in two spans, as two sequences would be
      const int32_t half = n > 3 ? n / 3 : n;
      const auto pages1 = seen_pages(p, p + half);
      const auto pages2 = seen_pages(p + half, p + n);
      spans.push_back({p, half, p, pages1.data(), n_pages_});
      if (half < n) spans.push_back({p + half, n - half, p + half, pages2.data(), n_pages_});
      step.plan({.n_heads = c_.n_heads,
                 .n_kv_heads = c_.n_kv_heads,
                 .kv = shape_,
                 .scale = scale(),
                 .soft_cap = c_.soft_cap,
                 .window = c_.window,
                 .section = c_.section,
                 .bias = c_.has_slopes ? biases_.data() + c_.n_positions : nullptr,
                 .bias_stride = bias_stride(),
                 .sinks = c_.has_sinks ? sinks_.data() : nullptr,
                 .q = queries_.data(),
                 .q_stride = width(),
                 .out = out.data(),
                 .out_stride = width()},
                spans);
      team.run([&](int thread) {
        step.run(thread, n_threads);
        team.barrier();
        step.finish(thread, n_threads);
      });
    }
    return out;
  }

  static float slope(int32_t head) { return std::exp2(-static_cast<float>(head)); }
  int64_t bias_stride() const { return int64_t{c_.n_positions} + kBiasAhead + 1; }
  float scale() const { return 1.0f / std::sqrt(static_cast<float>(c_.head_dim)); }

  // What the cache holds of a position, back in floats: keys, then values.
  const std::vector<float>& stored(int32_t p, int32_t head) {
    stored_.resize(static_cast<size_t>(c_.n_positions * c_.n_kv_heads));
    std::vector<float>& kv = stored_[static_cast<size_t>(head * c_.n_positions + p)];
    if (!kv.empty()) return kv;
    kv.resize(2 * static_cast<size_t>(c_.head_dim));
    read_kv(shape_, pages_[static_cast<size_t>(head * n_pages_ + p / shape_.page_positions())],
            p % shape_.page_positions(), kv.data(), kv.data() + c_.head_dim);
    return kv;
  }

  // Output of one query head in double precision, from what the cache holds.
  std::vector<double> expected(int32_t p, int32_t head) {
    const int32_t kv = head / (c_.n_heads / c_.n_kv_heads);
    const int32_t first = c_.first_seen(p);
    std::vector<double> scores;
    double top = -INFINITY;
    for (int32_t j = first; j <= p; ++j) {
      const auto& key = stored(j, kv);
      double s = 0;
      for (int32_t d = 0; d < c_.head_dim; ++d) {
        const float q = queries_[static_cast<size_t>(p * width() + head * c_.head_dim + d)];
        const float rounded = bf16_to_f32(f32_to_bf16(q));  // where scaled it is the rotated one
        s += double{shape_.is_scaled() ? q : rounded} * double{key[static_cast<size_t>(d)]};
      }
      s *= double{scale()};
      if (c_.soft_cap != 0) s = double{c_.soft_cap} * std::tanh(s / double{c_.soft_cap});
      if (c_.has_slopes) s += double{slope(head)} * (j - p);
      scores.push_back(s);
      top = std::max(top, s);
    }
    const double sink = double{sinks_[static_cast<size_t>(head)]};
    double total = c_.has_sinks ? std::exp(sink - top) : 0;
    std::vector<double> out(static_cast<size_t>(c_.head_dim), 0.0);
    for (int32_t j = first; j <= p; ++j) {
      const double weight = std::exp(scores[static_cast<size_t>(j - first)] - top);
      total += weight;
      const auto& stored_kv = stored(j, kv);
      for (size_t d = 0; d < out.size(); ++d) {
        out[d] += weight * double{stored_kv[out.size() + d]};
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
  std::vector<float> keys_, values_, queries_, sinks_, biases_;
  std::vector<std::vector<float>> stored_;
};

class Attention : public ::testing::TestWithParam<const KernelSet*> {
 protected:
  void SetUp() override { use_kernels(GetParam()); }
  void TearDown() override { use_kernels(nullptr); }
};

void expect_double_precision(const Case& c, KvFormat format, int32_t step) {
  World world(c, format);
  const auto out = world.run(c.n_positions, 1);
  for (int32_t p = 0; p < c.n_positions; p += step) {
    for (int32_t h = 0; h < c.n_heads; ++h) {
      const auto expected = world.expected(p, h);
      for (int32_t d = 0; d < c.head_dim; ++d) {
        ASSERT_NEAR(out[static_cast<size_t>(p * world.width() + h * c.head_dim + d)],
                    expected[static_cast<size_t>(d)], 0.01)  // weights are bf16
            << kv_format_name(format) << ", head dim " << c.head_dim << ", window " << c.window
            << ", position " << p << " of " << c.n_positions << ", head " << h << " of "
            << c.n_heads << " over " << c.n_kv_heads;
      }
    }
  }
}

TEST_P(Attention, MeetsDoublePrecision) {
  const bool slow = is_slow(*GetParam());
  for (const KvFormat format : kFormats) {
    for (const Case& c : kCases) {
      const int32_t most_heads = format == KvFormat::bf16 ? 50 : 6;
      if (slow && (c.n_positions > 300 || c.n_heads > most_heads)) continue;
      expect_double_precision(c, format, 13);
    }
  }
}

TEST_P(Attention, MeetsDoublePrecisionInRandomShapes) {
  const bool slow = is_slow(*GetParam());
  for (const Case& c : random_cases(8, slow ? 12 : 30, slow ? 70 : 600)) {
    for (const KvFormat format : kFormats) expect_double_precision(c, format, slow ? 9 : 37);
  }
}

TEST_P(Attention, WhatIsNotFiniteShowsWhereItIsSeenOnly) {
  const Case c{80, 2, 1, 40, 10, 0};
  const auto expect = [&](KvFormat format, float bad, int32_t piece) {
    World world(c, format);
    world.set_value(20, 0, bad);
    const auto out = world.run(piece, 1);
    for (int32_t p = 0; p < c.n_positions; ++p) {
      // In bf16 a window that ends beside it shares a pair with it.
      if (format == KvFormat::bf16 && p == 30) continue;
      const bool finite = std::isfinite(out[static_cast<size_t>(p * world.width())]);
      ASSERT_EQ(finite, p < 20 || p >= 30)
          << kv_format_name(format) << ", pieces of " << piece << ", position " << p;
    }
  };
  for (const float bad : {NAN, INFINITY}) {
    expect(KvFormat::bf16, bad, 1);
    for (const KvFormat scaled : {KvFormat::int8, KvFormat::int4}) {
      for (const int32_t piece : {1, 17, c.n_positions}) expect(scaled, bad, piece);
    }
  }
}

TEST_P(Attention, PiecesAndThreadsDoNotChangeBits) {
  const bool slow = is_slow(*GetParam());
  for (const Case& c : kCases) {
    for (const KvFormat format : kFormats) {
      if (slow && c.head_dim != 80) continue;
      World world(c, format);
      const auto expected = world.run(c.n_positions, 1);
      for (const int32_t piece : {1, 3, 17, 64, 250}) {
        if (slow && piece != 3 && piece != 64) continue;
        for (const int threads : {1, 2}) {
          if (slow && threads == 1) continue;
          if (threads == 2 && piece == 1 && c.n_positions > 300) continue;  // time
          const auto out = world.run(piece, threads);
          ASSERT_EQ(0, std::memcmp(out.data(), expected.data(), out.size() * sizeof(float)))
              << kv_format_name(format) << ", head dim " << c.head_dim << ", pieces of " << piece
              << ", threads " << threads;
        }
      }
    }
  }
}

// The same bits as with values that are stored apart.
TEST_P(Attention, ValuesMayBeTheFirstDimsOfTheKeys) {
  struct Shared {
    Case shape;
    int32_t dims;
  };
  for (const auto& [c, dims] : std::vector<Shared>{{{576, 20, 1, 40, 0, 0}, 512},
                                                   {{144, 5, 1, 300, 0, 0}, 128},
                                                   {{72, 60, 1, 270, 0, 0}, 64},
                                                   {{19, 3, 1, 90, 20, 0}, 11},
                                                   {{40, 4, 2, 70, 0, 30}, 33}}) {
    if (is_slow(*GetParam()) && c.n_heads > 20) continue;
    World apart(c, KvFormat::bf16);
    apart.set_values_to_keys();
    World shared(c, KvShape{c.head_dim, KvFormat::bf16, dims});
    const auto expected = apart.run(c.n_positions, 1);
    for (const int32_t piece : {1, 17, c.n_positions}) {
      const auto found = shared.run(piece, 2);
      for (int32_t p = 0; p < c.n_positions; ++p) {
        for (int32_t h = 0; h < c.n_heads; ++h) {
          ASSERT_EQ(0,
                    std::memcmp(&found[static_cast<size_t>(p * shared.width() + h * dims)],
                                &expected[static_cast<size_t>(p * apart.width() + h * c.head_dim)],
                                static_cast<size_t>(dims) * sizeof(float)))
              << "head dim " << c.head_dim << ", position " << p << ", head " << h;
        }
      }
    }
  }
}

// A sink takes all where it is far above the scores, nothing where it is far below.
TEST_P(Attention, SinksMayBeOfAnySize) {
  const Case c{64, 2, 1, 300, 0, 0, 0, true};
  World world(c, KvFormat::bf16);
  world.set_sinks({1e30f, -1e30f});
  const auto with = world.run(c.n_positions, 1);
  World without({64, 2, 1, 300, 0, 0}, KvFormat::bf16);
  const auto expected = without.run(c.n_positions, 1);
  for (size_t i = 0; i < with.size(); ++i) {
    ASSERT_EQ(with[i], i / 64 % 2 == 0 ? 0.0f : expected[i]) << i;
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
