// Buckets of distances against transformers 5.23 (T5Attention._relative_position_bucket): where
// each begins, from far behind the query to far before it.
#include "inference/block/distance_bias.h"

#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace strata::inference {
namespace {

struct Case {
  int32_t n_buckets;
  int32_t max_distance;
  bool causal;
  std::vector<std::pair<int32_t, int32_t>> runs;  // first distance, bucket
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {32, 128, false, {{-328, 15}, {-90, 14}, {-63, 13}, {-45, 12}, {-31, 11}, {-22, 10}, {-15, 9},
                        {-11, 8},   {-7, 7},   {-6, 6},   {-5, 5},   {-4, 4},   {-3, 3},   {-2, 2},
                        {-1, 1},    {0, 0},    {1, 17},   {2, 18},   {3, 19},   {4, 20},   {5, 21},
                        {6, 22},    {7, 23},   {8, 24},   {12, 25},  {16, 26},  {23, 27},  {32, 28},
                        {46, 29},   {64, 30},  {91, 31}}},
      {32, 128, true, {{-328, 31}, {-112, 30}, {-98, 29}, {-86, 28}, {-76, 27}, {-66, 26},
                       {-58, 25},  {-51, 24},  {-45, 23}, {-39, 22}, {-34, 21}, {-30, 20},
                       {-26, 19},  {-23, 18},  {-20, 17}, {-18, 16}, {-15, 15}, {-14, 14},
                       {-13, 13},  {-12, 12},  {-11, 11}, {-10, 10}, {-9, 9},   {-8, 8},
                       {-7, 7},    {-6, 6},    {-5, 5},   {-4, 4},   {-3, 3},   {-2, 2},
                       {-1, 1},    {0, 0}}},
      {9, 21, false, {{-221, 3}, {-6, 2}, {-1, 1}, {0, 0}, {1, 5}, {2, 6}, {7, 7}}},
      {9,
       21,
       true,
       {{-221, 8}, {-15, 7}, {-10, 6}, {-7, 5}, {-5, 4}, {-3, 3}, {-2, 2}, {-1, 1}, {0, 0}}},
      {12,
       128,
       true,
       {{-328, 11},
        {-76, 10},
        {-46, 9},
        {-27, 8},
        {-16, 7},
        {-9, 6},
        {-5, 5},
        {-4, 4},
        {-3, 3},
        {-2, 2},
        {-1, 1},
        {0, 0}}},
  };
  return all;
}

int32_t expected(const Case& one, int32_t distance) {
  int32_t bucket = -1;
  for (const auto& [first, value] : one.runs) {
    if (distance >= first) bucket = value;
  }
  return bucket;
}

TEST(DistanceBias, BucketsAreTransformers) {
  for (const Case& one : cases()) {
    const models::DistanceBias bias{0, one.n_buckets, one.max_distance};
    for (int32_t distance = one.runs.front().first; distance <= 328; ++distance) {
      ASSERT_EQ(bucket_of(bias, one.causal, distance), expected(one, distance))
          << one.n_buckets << " " << one.max_distance << " " << one.causal << " " << distance;
    }
  }
}

// The kernels' table is the same numbers, also after it has grown.
TEST(DistanceBias, TheTableHoldsTheBucketsOfEachHead) {
  for (const Case& one : cases()) {
    const models::DistanceBias bias{0, one.n_buckets, one.max_distance};
    std::vector<float> values;  // [n_buckets x 3]
    for (int32_t i = 0; i < 3 * one.n_buckets; ++i) values.push_back(static_cast<float>(i));
    DistanceTables tables;
    const int32_t table = tables.add(bias, one.causal, 3, values);
    EXPECT_EQ(tables.add(bias, one.causal, 3, values), table);
    EXPECT_NE(tables.add(bias, !one.causal, 3, values), table);
    for (const int32_t reach : {10, 700, 1500, 20}) {
      tables.reach(table, reach);
      for (int32_t s = -reach + 1; s < (one.causal ? 16 : reach + 15); ++s) {
        const int32_t bucket = bucket_of(bias, one.causal, one.causal ? s : -s);
        for (int64_t head = 0; head < 3; ++head) {
          ASSERT_EQ(tables.data(table)[head * tables.stride(table) + s],
                    static_cast<float>(3 * bucket + head))
              << s << " " << reach;
        }
      }
    }
  }
}

// Slopes of six heads as transformers (5.23, modeling_bloom) has them: those of four, then the
// first and the third of eight.
TEST(DistanceBias, SlopesOfHeadsThatAreNoPowerOfTwo) {
  models::DistanceBias bias;
  bias.alibi = 8.0f;
  DistanceTables tables;
  const int32_t table = tables.add(bias, true, 6, {});
  EXPECT_EQ(tables.add(bias, true, 6, {}), table);
  EXPECT_NE(tables.add(bias, true, 4, {}), table);
  tables.reach(table, 300);
  const float slopes[] = {0.25f, 0.0625f, 0.015625f, 0.00390625f, 0.5f, 0.125f};
  for (int64_t head = 0; head < 6; ++head) {
    for (const int32_t s : {0, -1, -299}) {
      EXPECT_EQ(tables.data(table)[head * tables.stride(table) + s],
                slopes[head] * static_cast<float>(s));
    }
  }
}

TEST(DistanceBias, NoBiasHasNoTable) {
  DistanceTables tables;
  const int32_t none = tables.add({}, true, 3, {});
  tables.reach(none, 100);
  EXPECT_EQ(tables.data(none), nullptr);
}

}  // namespace
}  // namespace strata::inference
