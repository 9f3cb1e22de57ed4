// Products and attention of floats, every kernel set: against double precision, against the generic
// set bit for bit, and against itself in every cut of rows and columns.
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/threads.h"
#include "tensor/kernels/emulated_test.h"
#include "tensor/ops.h"
#include "tensor/packed.h"
#include "tensor/sequence_attention.h"
#include "tensor/testing/random_weights.h"

namespace strata::tensor {
namespace {

using testing::random_row;

class Floats : public ::testing::TestWithParam<const KernelSet*> {
 protected:
  void SetUp() override { use_kernels(GetParam()); }
  void TearDown() override { use_kernels(nullptr); }
};

WeightSource exact_source(const testing::RandomMatrix& matrix) {
  WeightSource source = matrix.source();
  source.exact = true;
  return source;
}

InputRows input_for(int64_t n_rows, int64_t k) {
  InputRows input;
  input.wants_int8 = false;
  input.wants_f32 = true;
  input.resize(n_rows, k);
  for (int64_t r = 0; r < n_rows; ++r) {
    fill_row(random_row(k, static_cast<uint32_t>(100 + r)).data(), input, r);
  }
  return input;
}

std::vector<float> product(const PackedMatrix& m, const InputRows& input, int64_t n_rows,
                           Activation activation = Activation::none) {
  std::vector<float> out(static_cast<size_t>(n_rows * m.rows()), NAN);
  matmul(m, input, n_rows, out.data(), m.rows(), 0, m.n_row_blocks(), activation);
  return out;
}

TEST_P(Floats, ProductsMeetDoublePrecision) {
  Team team(1);
  constexpr int64_t kRows = 37;
  constexpr int64_t kCols = 70;
  constexpr int64_t kColumns = 29;
  const auto m = testing::random_matrix(DType::f32, kRows, kCols, 3);
  const auto packed = PackedMatrix::pack(std::vector{exact_source(m)}, team);
  EXPECT_TRUE(packed.wants(InputKind::f32));
  EXPECT_FALSE(packed.wants(InputKind::bf16));
  const auto& segment = packed.segments()[0];
  EXPECT_EQ(segment.n_blocks * segment.block_bytes, packed_bytes(DType::f32, kRows, kCols, true));
  const auto* w = reinterpret_cast<const float*>(m.bytes.data());
  const auto out = product(packed, input_for(kColumns, kCols), kColumns);
  std::vector<float> unpacked(kCols);
  for (int64_t r = 0; r < kRows; ++r) {
    packed.unpack_row(r, unpacked.data());
    EXPECT_EQ(unpacked, std::vector<float>(w + r * kCols, w + (r + 1) * kCols));
    for (int64_t c = 0; c < kColumns; ++c) {
      const auto x = random_row(kCols, static_cast<uint32_t>(100 + c));
      double sum = 0;
      double magnitude = 0;
      for (int64_t k = 0; k < kCols; ++k) {
        const double term = double{w[r * kCols + k]} * double{x[static_cast<size_t>(k)]};
        sum += term;
        magnitude += std::abs(term);
      }
      EXPECT_NEAR(out[static_cast<size_t>(c * kRows + r)], sum, 1e-6 * magnitude);
    }
  }
}

TEST_P(Floats, ProductsHaveTheSameBitsInEveryCut) {
  Team team(1);
  constexpr int64_t kRows = 80;
  constexpr int64_t kCols = 96;
  constexpr int64_t kColumns = 31;
  const auto gate = testing::random_matrix(DType::f32, kRows, kCols, 4);
  const auto up = testing::random_matrix(DType::f32, kRows, kCols, 5);
  const InputRows input = input_for(kColumns, kCols);
  const auto plain = PackedMatrix::pack(std::vector{exact_source(gate)}, team);
  const auto gated = PackedMatrix::pack_gated(exact_source(gate), exact_source(up), team);
  for (const PackedMatrix* m : {&plain, &gated}) {
    use_kernels(&*runnable_kernels().back());
    const auto expected = product(*m, input, kColumns, Activation::silu);
    use_kernels(GetParam());
    EXPECT_EQ(product(*m, input, kColumns, Activation::silu), expected);
    for (int64_t n = 1; n < kColumns; ++n) {
      std::vector<float> out(static_cast<size_t>(n * kRows), NAN);
      for (int64_t b = 0; b < m->n_row_blocks(); ++b) {
        matmul(*m, input, n, out.data(), kRows, b, b + 1, Activation::silu);
      }
      EXPECT_TRUE(std::equal(out.begin(), out.end(), expected.begin())) << n << " columns";
    }
  }
}

struct Shape {
  int32_t n_heads, n_kv_heads, head_dim, length, reach;
  float soft_cap;
};

// [rows x (heads + 2 kv heads) x head_dim], as projections lie.
struct Projected {
  explicit Projected(const Shape& s, int32_t n_rows)
      : width((s.n_heads + 2 * s.n_kv_heads) * s.head_dim) {
    for (int32_t row = 0; row < n_rows; ++row) {
      const auto values = random_row(width, static_cast<uint32_t>(7 + row));
      rows.insert(rows.end(), values.begin(), values.end());
    }
  }
  int64_t width;
  std::vector<float> rows;
};

std::vector<float> attention(const Shape& s, const Projected& in,
                             std::span<const SequenceSpan> spans, int n_threads) {
  const int64_t out_width = int64_t{s.n_heads} * s.head_dim;
  std::vector<float> out(in.rows.size() / static_cast<size_t>(in.width) *
                         static_cast<size_t>(out_width));
  SequenceAttentionSetup setup{.n_heads = s.n_heads,
                               .n_kv_heads = s.n_kv_heads,
                               .head_dim = s.head_dim,
                               .scale = 0.3f,
                               .soft_cap = s.soft_cap,
                               .reach = s.reach,
                               .q = in.rows.data(),
                               .k = in.rows.data() + out_width,
                               .v = in.rows.data() + out_width + s.n_kv_heads * s.head_dim,
                               .stride = in.width,
                               .out = out.data(),
                               .out_stride = out_width};
  SequenceAttention sequences;
  sequences.plan(s.n_kv_heads, spans);
  for (int thread = 0; thread < n_threads; ++thread) sequences.run(setup, thread, n_threads);
  return out;
}

// One query of one head, in double precision.
std::vector<double> expected_of(const Shape& s, const Projected& in, int32_t query, int32_t head) {
  const auto at = [&](int32_t row, int32_t first) {
    return in.rows.data() + row * in.width + int64_t{first} * s.head_dim;
  };
  const int32_t kv = head / (s.n_heads / s.n_kv_heads);
  std::vector<double> weights(static_cast<size_t>(s.length));
  double total = 0;
  for (int32_t key = 0; key < s.length; ++key) {
    if (s.reach >= 0 && std::abs(key - query) > s.reach) continue;
    double score = 0;
    for (int32_t d = 0; d < s.head_dim; ++d) {
      score += double{at(query, head)[d]} * double{at(key, s.n_heads + kv)[d]};
    }
    score *= double{0.3f};
    const double cap = double{s.soft_cap};
    if (cap > 0) score = cap * std::tanh(score / cap);
    total += weights[static_cast<size_t>(key)] = std::exp(score);
  }
  std::vector<double> result(static_cast<size_t>(s.head_dim));
  for (int32_t key = 0; key < s.length; ++key) {
    for (int32_t d = 0; d < s.head_dim; ++d) {
      result[static_cast<size_t>(d)] += weights[static_cast<size_t>(key)] / total *
                                        double{at(key, s.n_heads + s.n_kv_heads + kv)[d]};
    }
  }
  return result;
}

constexpr Shape kShapes[] = {
    {3, 3, 12, 1, -1, 0},  {4, 2, 32, 40, -1, 0},  {3, 1, 10, 33, 4, 0},
    {2, 2, 64, 300, 7, 0}, {2, 1, 16, 530, -1, 5},
};

TEST_P(Floats, AttentionMeetsDoublePrecision) {
  for (const Shape& s : kShapes) {
    const Projected in(s, s.length);
    const SequenceSpan span{0, s.length};
    const auto out = attention(s, in, std::span(&span, 1), 1);
    for (int32_t query = 0; query < s.length; query += 1 + s.length / 9) {
      for (int32_t head = 0; head < s.n_heads; ++head) {
        const auto expected = expected_of(s, in, query, head);
        for (int32_t d = 0; d < s.head_dim; ++d) {
          const auto at = static_cast<size_t>((query * s.n_heads + head) * s.head_dim + d);
          EXPECT_NEAR(out[at], expected[static_cast<size_t>(d)], 1e-5)
              << "length " << s.length << ", query " << query;
        }
      }
    }
  }
}

TEST_P(Floats, AttentionHasTheSameBitsInAnyBatch) {
  for (const Shape& s : kShapes) {
    const Projected alone(s, s.length);
    const SequenceSpan whole{0, s.length};
    use_kernels(&*runnable_kernels().back());
    const auto expected = attention(s, alone, std::span(&whole, 1), 1);
    use_kernels(GetParam());
    EXPECT_EQ(attention(s, alone, std::span(&whole, 1), 3), expected);
    // The same sequence behind another one.
    constexpr int32_t kBefore = 21;
    Projected both(s, kBefore);
    both.rows.insert(both.rows.end(), alone.rows.begin(), alone.rows.end());
    const SequenceSpan spans[] = {{0, kBefore}, {kBefore, s.length}};
    const auto out = attention(s, both, spans, 2);
    const auto begin = out.begin() + kBefore * int64_t{s.n_heads} * s.head_dim;
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), begin)) << "length " << s.length;
  }
}

INSTANTIATE_TEST_SUITE_P(Sets, Floats, ::testing::ValuesIn(tested_kernels()), [](const auto& set) {
  std::string name = set.param->name;
  std::erase_if(name, [](char c) { return c == '-' || c == ' '; });
  return name;
});

}  // namespace
}  // namespace strata::tensor
