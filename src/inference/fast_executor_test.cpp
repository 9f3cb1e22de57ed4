// The fast executor against its judge, the float32 executor, and what is its own: windows that give
// pages back, kernel sets that agree.
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "core/error.h"
#include "inference/candidates.h"
#include "inference/executor.h"
#include "inference/testing/tiny_model.h"
#include "tensor/ops.h"

namespace strata::inference {
namespace {

using tensor::DType;

std::vector<Row> random_rows(const models::Model& model, SequenceId sequence, int32_t n,
                             uint32_t seed = 3) {
  std::mt19937 random(seed);
  std::vector<Row> rows;
  for (int32_t p = 0; p < n; ++p) {
    const auto token = static_cast<int32_t>(random() % static_cast<uint32_t>(model.spec.n_vocab));
    rows.push_back({token, p, sequence, true});
  }
  return rows;
}

std::vector<float> logits_of(Executor& executor, const models::Model& model, int32_t n) {
  const auto logits = executor.step(random_rows(model, executor.create_sequence(), n));
  return {logits.begin(), logits.end()};
}

// Root mean square of the difference over that of the expected.
double relative_error(const std::vector<float>& found, const std::vector<float>& expected) {
  double difference = 0.0;
  double size = 0.0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(static_cast<double>(found[i]) - static_cast<double>(expected[i]), 2);
    size += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(difference / size);
}

class FastExecutorShapes : public ::testing::TestWithParam<NamedOptions> {};

// Whether row `row` of the last step went to the same experts in both.
bool same_experts(const std::vector<std::vector<int32_t>>& a,
                  const std::vector<std::vector<int32_t>>& b, size_t row, size_t n_rows) {
  EXPECT_EQ(a.size(), b.size()) << "mixtures of experts";
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].size(), b[i].size()) << "mixture " << i;
    if (a[i].size() != b[i].size()) return false;
    const size_t n_used = a[i].size() / n_rows;
    const auto begin = static_cast<std::ptrdiff_t>(row * n_used);
    const auto end = begin + static_cast<std::ptrdiff_t>(n_used);
    if (!std::equal(a[i].begin() + begin, a[i].begin() + end, b[i].begin() + begin)) return false;
  }
  return true;
}

// Rounding moves a row that lies between two experts now and then: those rows are left out.
TEST_P(FastExecutorShapes, AgreeWithTheJudge) {
  constexpr size_t kRows = 400;
  const auto model = tiny_model(GetParam().options);
  const auto width = static_cast<std::ptrdiff_t>(model->spec.n_vocab);
  const auto judge = make_float32_executor(model, {.n_threads = 2});
  const auto expected = logits_of(*judge, *model, kRows);
  for (const tensor::KvFormat kv : {tensor::KvFormat::bf16, tensor::KvFormat::int8}) {
    const auto executor = make_fast_executor(model, {.n_threads = 2, .kv = kv});
    const auto found = logits_of(*executor, *model, kRows);
    ASSERT_EQ(found.size(), expected.size());
    std::vector<float> compared;
    std::vector<float> wanted;
    for (size_t row = 0; row < kRows; ++row) {
      if (!same_experts(judge->chosen_experts(), executor->chosen_experts(), row, kRows)) continue;
      const auto begin = static_cast<std::ptrdiff_t>(row) * width;
      compared.insert(compared.end(), found.begin() + begin, found.begin() + begin + width);
      wanted.insert(wanted.end(), expected.begin() + begin, expected.begin() + begin + width);
    }
    EXPECT_GT(compared.size(), found.size() * 9 / 10);
    EXPECT_LT(relative_error(compared, wanted), 0.05) << tensor::kv_format_name(kv);
  }
}

INSTANTIATE_TEST_SUITE_P(All, FastExecutorShapes, ::testing::ValuesIn(tiny_variants()),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(FastExecutor, AllExpertsTogetherAgreeWithTheJudge) {
  for (const DType type : {DType::q8_0, DType::q4_1, DType::bf16}) {
    TinyOptions options;
    options.type = type;
    options.n_experts = options.n_used = 5;
    options.n_hidden = 96;
    options.shared_expert = true;
    const auto model = tiny_model(options);
    const auto expected = logits_of(*make_float32_executor(model, {.n_threads = 2}), *model, 100);
    const auto found = logits_of(*make_fast_executor(model, {.n_threads = 2}), *model, 100);
    EXPECT_LT(relative_error(found, expected), 0.03) << tensor::dtype_info(type).name;
  }
}

// Float32 weights become bf16 but for the router: the judge's experts, unless two lie closer
// together than that.
TEST(FastExecutor, ChoosesTheExpertsOfTheJudge) {
  TinyOptions options;
  options.type = DType::bf16;
  options.n_experts = 16;
  options.n_used = 4;
  const auto model = tiny_model(options);
  const auto judge = make_float32_executor(model, {.n_threads = 2});
  const auto fast = make_fast_executor(model, {.n_threads = 2});
  (void)logits_of(*judge, *model, 400);
  (void)logits_of(*fast, *model, 400);
  const auto expected = judge->chosen_experts();
  const auto found = fast->chosen_experts();
  ASSERT_EQ(found.size(), 2u);
  size_t n_equal = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    ASSERT_EQ(found[i].size(), 1600u);
    ASSERT_EQ(expected[i].size(), 1600u);
    for (size_t k = 0; k < 1600; ++k) n_equal += found[i][k] == expected[i][k] ? 1 : 0;
  }
  EXPECT_GT(n_equal, 3200u * 98 / 100);
}

// Of one row.
void expect_wanted(std::span<const float> found, std::span<const float> all,
                   const WantedLogits& wanted) {
  const auto kept = [&](std::span<const float> logits) {
    std::vector<float> out(logits.begin(), logits.end());
    if (wanted.allowed != nullptr) keep_allowed(logits, *wanted.allowed, out);
    const auto n_all = static_cast<int32_t>(logits.size());
    return top_k(out, wanted.n_likeliest == 0 ? n_all : wanted.n_likeliest);
  };
  const auto expected = kept(all);
  const auto some = kept(found);
  ASSERT_EQ(some.size(), expected.size());
  for (size_t i = 0; i < some.size(); ++i) {
    ASSERT_EQ(some[i].id, expected[i].id) << "place " << i;
    ASSERT_EQ(some[i].logit, expected[i].logit) << "place " << i;
  }
}

TEST(FastExecutor, AScreenedHeadHasTheGreatestLogitsOfAFullOne) {
  TinyOptions options;
  options.n_vocab = 65536 + 5;
  const auto model = tiny_model(options);
  for (const int n_threads : {1, 2, 3}) {
    const auto full = make_fast_executor(model, {.n_threads = n_threads});
    const auto screened = make_fast_executor(model, {.n_threads = n_threads});
    full->create_sequence();
    const SequenceId sequence = screened->create_sequence();
    for (Row row : random_rows(*model, sequence, 60)) {
      const auto all = full->step(std::span(&row, 1));
      row.wanted.n_likeliest = row.position % 2 == 0 ? 1 : 40;
      const auto some = screened->step(std::span(&row, 1));
      ASSERT_NO_FATAL_FAILURE(expect_wanted(some, all, row.wanted)) << row.position;
    }
    EXPECT_LT(screened->stats().work.weight_bytes, full->stats().work.weight_bytes);
  }
}

TokenMask mask_of_every(int32_t nth, int32_t n_vocab) {
  TokenMask mask;
  mask.bits.resize((static_cast<size_t>(n_vocab) + 63) / 64);
  for (int32_t i = nth - 1; i < n_vocab; i += nth) allow(mask.bits, i);
  return mask;
}

// Rows of a step that any token may follow, one of many, or one of few.
TEST(FastExecutor, RowsHaveTheLogitsThatTheyAskFor) {
  for (const int32_t n_vocab : {3000, 65536 + 5}) {
    TinyOptions options;
    options.n_vocab = n_vocab;
    const auto model = tiny_model(options);
    const TokenMask few = mask_of_every(999, n_vocab);
    const TokenMask many = mask_of_every(3, n_vocab);
    const WantedLogits forms[] = {{1, &few}, {40, &many}, {0, &few}, {40, nullptr}, {0, nullptr}};
    const auto full = make_fast_executor(model, {.n_threads = 2});
    const auto some = make_fast_executor(model, {.n_threads = 2});
    const SequenceId sequence = full->create_sequence();
    ASSERT_EQ(some->create_sequence(), sequence);
    std::vector<Row> rows = random_rows(*model, sequence, 200);
    std::mt19937 random(1);
    for (std::span<Row> left = rows; !left.empty();) {
      const auto step = left.first(std::min<size_t>(1 + random() % 4, left.size()));
      left = left.subspan(step.size());
      for (Row& row : step) row.wanted = {};
      const auto expected = full->step(step);
      for (Row& row : step) row.wanted = forms[random() % std::size(forms)];
      const auto found = some->step(step);
      for (size_t r = 0; r < step.size(); ++r) {
        const auto begin = r * static_cast<size_t>(n_vocab);
        ASSERT_NO_FATAL_FAILURE(expect_wanted(found.subspan(begin, n_vocab),
                                              expected.subspan(begin, n_vocab), step[r].wanted))
            << "row " << r << " at " << step[r].position;
      }
    }
  }
}

TEST(FastExecutor, ReadsLittleOfTheHeadWhereFewTokensMayCome) {
  TinyOptions options;
  options.n_vocab = 20000;
  const auto model = tiny_model(options);
  const TokenMask few = mask_of_every(9999, options.n_vocab);
  const auto executor = make_fast_executor(model, {.n_threads = 2});
  const auto bytes_of = [&](SequenceId sequence, const WantedLogits& wanted) {
    const int64_t before = executor->stats().work.weight_bytes;
    auto rows = random_rows(*model, sequence, 3);
    for (Row& row : rows) row.wanted = wanted;
    (void)executor->step(rows);
    return executor->stats().work.weight_bytes - before;
  };
  const int64_t all = bytes_of(executor->create_sequence(), {});
  EXPECT_LT(bytes_of(executor->create_sequence(), {1, &few}), all / 4);
}

class FastExecutorTypes : public ::testing::TestWithParam<DType> {};

TEST_P(FastExecutorTypes, AgreeWithTheJudge) {
  TinyOptions options;
  options.type = options.embedding_type = GetParam();
  options.n_embd = options.n_hidden = 256;
  options.n_heads = 8;
  const auto model = tiny_model(options);
  const bool bf16 =
      GetParam() == DType::f32 || GetParam() == DType::f16 || GetParam() == DType::bf16;
  const auto expected = logits_of(*make_float32_executor(model, {.n_threads = 2}), *model, 100);
  const auto found = logits_of(*make_fast_executor(model, {.n_threads = 2}), *model, 100);
  EXPECT_LT(relative_error(found, expected), bf16 ? 0.03 : 0.06);
}

INSTANTIATE_TEST_SUITE_P(All, FastExecutorTypes,
                         ::testing::Values(DType::f32, DType::f16, DType::bf16, DType::q4_0,
                                           DType::q4_1, DType::q5_0, DType::q5_1, DType::q8_0,
                                           DType::q4_k, DType::q5_k, DType::q6_k, DType::iq4_nl),
                         [](const auto& test) {
                           return std::string(tensor::dtype_info(test.param).name);
                         });

TEST(FastExecutor, WindowsGivePagesBackAndStillAgree) {
  TinyOptions options;
  options.windows = {100, 100};
  const auto model = tiny_model(options);
  const auto fast = make_fast_executor(model, {.n_threads = 2, .n_positions_limit = 4096});
  const auto judge = make_float32_executor(model, {.n_threads = 2, .n_positions_limit = 4096});
  const SequenceId a = fast->create_sequence();
  const SequenceId b = judge->create_sequence();
  auto rows = random_rows(*model, a, 2000);
  for (auto& row : rows) row.wants_logits = row.position % 100 == 99;
  int64_t most = 0;
  for (size_t begin = 0; begin < rows.size(); begin += 100) {
    std::vector<Row> piece(rows.begin() + static_cast<std::ptrdiff_t>(begin),
                           rows.begin() + static_cast<std::ptrdiff_t>(begin + 100));
    for (auto& row : piece) row.sequence = a;
    const auto found = fast->step(piece);
    for (auto& row : piece) row.sequence = b;
    const auto expected = judge->step(piece);
    ASSERT_LT(relative_error({found.begin(), found.end()}, {expected.begin(), expected.end()}),
              0.05);
    most = std::max(most, fast->stats().kv_bytes_used);
  }
  const int64_t bytes_per_position = 2 * 2 * 2 * options.n_kv_heads * options.head_dim;
  EXPECT_LE(most, 512 * bytes_per_position) << "a window of 100 needs no 2,000 positions";
  EXPECT_THROW(fast->truncate(a, 1000), Error);
  EXPECT_EQ(fast->length(a), 2000);
  fast->truncate(a, 1990);  // a short roll-back always works
  EXPECT_EQ(fast->length(a), 1990);
  fast->truncate(a, 0);
  EXPECT_EQ(fast->stats().kv_bytes_used, 0);
}

// A sequence whose values overflow leaves NaNs in the cache; whoever gets its memory next must not
// see them.
TEST(FastExecutor, ASequenceThatIsGoneLeavesNothingBehind) {
  TinyOptions options;
  options.embedding_scale = std::numeric_limits<float>::infinity();
  const auto model = std::make_shared<models::Model>(*tiny_model(options));
  const auto executor = make_fast_executor(model, {.n_threads = 1});
  const SequenceId poisoned = executor->create_sequence();
  const auto bad = executor->step(random_rows(*model, poisoned, 150));
  ASSERT_TRUE(std::any_of(bad.begin(), bad.end(), [](float x) { return std::isnan(x); }));
  executor->remove_sequence(poisoned);

  model->spec.embedding_scale = 1.0f;
  const auto found = logits_of(*executor, *model, 3);
  EXPECT_EQ(found, logits_of(*make_fast_executor(model, {.n_threads = 1}), *model, 3));
}

TEST(FastExecutor, KernelSetsGiveTheSameBitsOnInt8Weights) {
  const auto model = tiny_model({});
  std::vector<float> expected;
  for (const tensor::KernelSet* set : tensor::runnable_kernels()) {
    tensor::use_kernels(set);
    const auto found = logits_of(*make_fast_executor(model, {.n_threads = 1}), *model, 40);
    if (expected.empty()) expected = found;
    // Attention is bf16, whose products round differently in each set.
    EXPECT_LT(relative_error(found, expected), 0.01) << set->name;
  }
  tensor::use_kernels(nullptr);
}

TEST(FastExecutor, AModelWithoutBlocksIsItsEmbeddingAndHead) {
  auto model = std::make_shared<models::Model>(*tiny_model({}));
  for (auto& layer : model->spec.layers) layer.blocks.clear();
  const auto expected = logits_of(*make_float32_executor(model, {.n_threads = 1}), *model, 20);
  const auto found = logits_of(*make_fast_executor(model, {.n_threads = 2}), *model, 20);
  EXPECT_LT(relative_error(found, expected), 0.05);
}

TEST(FastExecutor, CountsResidentWeightsOnce) {
  TinyOptions options;
  options.n_vocab = 2048;
  options.n_embd = options.n_hidden = 512;
  options.type = DType::q4_1;
  const auto model = tiny_model(options);
  const auto executor = make_fast_executor(model, {.n_threads = 1});
  EXPECT_LE(executor->stats().weight_bytes,
            static_cast<int64_t>(model->file->file_bytes()) * 105 / 100);
}

TEST(FastExecutor, RefusesACacheWithoutRoomForABlock) {
  EXPECT_THROW(make_fast_executor(tiny_model({}), {.n_threads = 1, .kv_bytes_limit = 1000}), Error);
}

}  // namespace
}  // namespace strata::inference
