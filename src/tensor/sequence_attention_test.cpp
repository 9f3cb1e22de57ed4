// Vectors of distances in the scores of attention inside whole sequences: against double precision,
// and the same bits in every kernel set and any batch.
#include "tensor/sequence_attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "tensor/ops.h"
#include "tensor/testing/random_weights.h"

namespace strata::tensor {
namespace {

constexpr int32_t kHeads = 3, kDim = 12, kRows = 10, kReach = 400;
constexpr int64_t kWidth = 3 * kHeads * kDim;

// Distances near the query have rows of their own, others share the first and the last.
int32_t row_of_distance(int32_t distance) {
  return std::clamp(kRows / 2 + distance, 0, kRows - 1);
}

struct Tables {
  bool with_keys = true, with_queries = true;
  std::vector<float> keys = testing::random_row(int64_t{kHeads} * kRows * kDim, 1);
  std::vector<float> queries = testing::random_row(int64_t{kHeads} * kRows * kDim, 2);
  std::vector<int32_t> rows;

  Tables() {
    for (int32_t s = -kReach; s <= kReach; ++s) rows.push_back(row_of_distance(s));
  }
  SequenceDistances distances() const {
    return {with_keys ? keys.data() : nullptr, with_queries ? queries.data() : nullptr, kRows,
            rows.data() + kReach};
  }
};

// Rows of queries, keys and values, side by side.
std::vector<float> projected(int32_t n_rows, uint32_t seed) {
  return testing::random_row(n_rows * kWidth, seed);
}

std::vector<float> attention(const std::vector<float>& rows, std::span<const SequenceSpan> spans,
                             const Tables& tables, int n_threads) {
  constexpr int64_t kOut = kHeads * kDim;
  std::vector<float> out(rows.size() / 3);
  SequenceAttention sequences;
  sequences.plan(kHeads, spans);
  for (int thread = 0; thread < n_threads; ++thread) {
    sequences.run({.n_heads = kHeads,
                   .n_kv_heads = kHeads,
                   .head_dim = kDim,
                   .scale = 0.2f,
                   .distances = tables.distances(),
                   .q = rows.data(),
                   .k = rows.data() + kOut,
                   .v = rows.data() + 2 * kOut,
                   .stride = kWidth,
                   .out = out.data(),
                   .out_stride = kOut},
                  thread, n_threads);
  }
  return out;
}

double product(const float* a, const float* b) {
  double sum = 0;
  for (int32_t i = 0; i < kDim; ++i) sum += double{a[i]} * double{b[i]};
  return sum;
}

std::vector<double> expected_of(const std::vector<float>& rows, int32_t length, int32_t query,
                                int32_t head, const Tables& tables) {
  const auto at = [&](int32_t row, int32_t kind) {
    return rows.data() + row * kWidth + (kind * kHeads + head) * kDim;
  };
  std::vector<double> result(kDim);
  double total = 0;
  for (int32_t key = 0; key < length; ++key) {
    const int64_t place = (int64_t{head} * kRows + row_of_distance(query - key)) * kDim;
    double score = product(at(query, 0), at(key, 1));
    if (tables.with_keys) score += product(at(query, 0), tables.keys.data() + place);
    if (tables.with_queries) score += product(at(key, 1), tables.queries.data() + place);
    const double weight = std::exp(double{0.2f} * score);
    total += weight;
    for (int32_t i = 0; i < kDim; ++i) {
      result[static_cast<size_t>(i)] += weight * double{at(key, 2)[i]};
    }
  }
  for (double& value : result) value /= total;
  return result;
}

class SequenceDistancesTest : public ::testing::Test {
 protected:
  void TearDown() override { use_kernels(nullptr); }
};

TEST_F(SequenceDistancesTest, MeetQueriesAndKeys) {
  constexpr int32_t kLength = 70;
  const std::vector<float> rows = projected(kLength, 3);
  const SequenceSpan span{0, kLength};
  for (const KernelSet* set : runnable_kernels()) {
    use_kernels(set);
    for (const auto& [with_keys, with_queries] :
         {std::pair{true, true}, {true, false}, {false, true}}) {
      Tables tables;
      tables.with_keys = with_keys;
      tables.with_queries = with_queries;
      const auto out = attention(rows, std::span(&span, 1), tables, 1);
      for (int32_t query = 0; query < kLength; query += 7) {
        for (int32_t head = 0; head < kHeads; ++head) {
          const auto expected = expected_of(rows, kLength, query, head, tables);
          for (int32_t i = 0; i < kDim; ++i) {
            EXPECT_NEAR(out[static_cast<size_t>((query * kHeads + head) * kDim + i)],
                        expected[static_cast<size_t>(i)], 1e-5)
                << set->name << ", query " << query;
          }
        }
      }
    }
  }
}

TEST_F(SequenceDistancesTest, SameBitsInEverySetAndAnyBatch) {
  constexpr int32_t kBefore = 21, kLength = 300;
  const std::vector<float> rows = projected(kLength, 4);
  const SequenceSpan whole{0, kLength};
  const Tables tables;
  use_kernels(runnable_kernels().back());
  const auto expected = attention(rows, std::span(&whole, 1), tables, 1);
  std::vector<float> both = projected(kBefore, 5);
  both.insert(both.end(), rows.begin(), rows.end());
  const SequenceSpan spans[] = {{0, kBefore}, {kBefore, kLength}};
  for (const KernelSet* set : runnable_kernels()) {
    use_kernels(set);
    EXPECT_EQ(attention(rows, std::span(&whole, 1), tables, 3), expected) << set->name;
    const auto out = attention(both, spans, tables, 2);
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), out.begin() + kBefore * kHeads * kDim))
        << set->name;
  }
}

}  // namespace
}  // namespace strata::tensor
