// What a step costs in what can be counted: bytes read, kernels called, barriers passed, memory
// asked for. Exact where a formula says what must be, else what was reached and must not grow.
#include <atomic>
#include <cstdlib>
#include <new>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "core/testing/test_data.h"
#include "inference/executor.h"
#include "inference/testing/tiny_model.h"
#include "models/model.h"
#include "tensor/attention.h"
#include "tensor/packed.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kCountsAllocations = false;  // the sanitizers have their own
#else
constexpr bool kCountsAllocations = true;
#endif

namespace {
std::atomic<int64_t> n_allocations{0};
}  // namespace

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#pragma GCC diagnostic ignored \
    "-Wmismatched-new-delete"  // g++ 12 sees free(), not that new mallocs
void* operator new(size_t size) {
  n_allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
#endif

namespace strata::inference {
namespace {

class Counted {
 public:
  explicit Counted(const std::string& name, int n_threads = 1,
                   tensor::KvFormat kv = tensor::KvFormat::bf16)
      : Counted(models::load_model(strata::testing::test_data("models/" + name + ".gguf"), name),
                n_threads, kv) {}
  explicit Counted(std::shared_ptr<const models::Model> loaded, int n_threads = 1,
                   tensor::KvFormat kv = tensor::KvFormat::bf16)
      : model(std::move(loaded)),
        executor(make_fast_executor(
            model, {.n_threads = n_threads, .n_positions_limit = 4096, .kv = kv})) {}

  // Work of one step: n_rows more rows for each sequence, logits of each one's last.
  Work step(std::span<const SequenceId> sequences, int32_t n_rows, int32_t n_likeliest = 0) {
    rows_.clear();
    for (const SequenceId sequence : sequences) {
      const int32_t begin = executor->length(sequence);
      for (int32_t i = 0; i < n_rows; ++i) {
        rows_.push_back({(100 + begin + i) % model->spec.n_vocab,
                         begin + i,
                         sequence,
                         i + 1 == n_rows,
                         {n_likeliest}});
      }
    }
    const Work before = executor->stats().work;
    executor->step(rows_);
    const Work after = executor->stats().work;
    return {after.weight_bytes - before.weight_bytes, after.kv_bytes - before.kv_bytes,
            after.kernel_calls - before.kernel_calls, after.barriers - before.barriers};
  }

  std::shared_ptr<const models::Model> model;
  std::unique_ptr<Executor> executor;

 private:
  std::vector<Row> rows_;
};

// Keys and values that the row at `position` sees, over all layers.
int64_t kv_bytes_of_row(const models::ModelSpec& spec, int32_t position, tensor::KvFormat kv) {
  int64_t bytes = 0;
  for (const auto& layer : spec.layers) {
    for (const auto& block : layer.blocks) {
      const auto* a = std::get_if<models::Attention>(&block.op);
      if (a == nullptr) continue;
      const int32_t seen = a->window > 0 ? std::min(position + 1, a->window) : position + 1;
      bytes += int64_t{seen} * a->n_kv_heads * tensor::KvShape{a->head_dim, kv}.position_bytes();
    }
  }
  return bytes;
}

class WorkOf : public ::testing::TestWithParam<const char*> {};

TEST_P(WorkOf, EachWeightIsReadOnceAStepHoweverManyRowsShareIt) {
  for (const int n_threads : {1, 2}) {
    Counted counted(GetParam(), n_threads);
    std::vector<SequenceId> sequences(8);
    for (SequenceId& sequence : sequences) sequence = counted.executor->create_sequence();
    const int64_t alone = counted.step(std::span(sequences).first(1), 1).weight_bytes;
    const auto resident = static_cast<double>(counted.executor->stats().weight_bytes_read);
    EXPECT_NEAR(static_cast<double>(alone) / resident, 1, 0.002)
        << "but for unused ends of buffers";
    EXPECT_EQ(counted.step(sequences, 1).weight_bytes, alone);
    EXPECT_EQ(counted.step(std::span(sequences).first(1), 200).weight_bytes, alone);
  }
}

TEST(WorkOfAHead, OfWhichOneLogitIsWantedIsReadInPart) {
  Counted counted("gemma3-270m");
  const SequenceId sequence = counted.executor->create_sequence();
  counted.step(std::span(&sequence, 1), 20);
  const int64_t all = counted.step(std::span(&sequence, 1), 1).weight_bytes;
  int64_t screened = 0;
  for (int i = 0; i < 20; ++i) screened += counted.step(std::span(&sequence, 1), 1, 1).weight_bytes;
  EXPECT_LT(screened, 20 * all * 8 / 10);
}

TEST_P(WorkOf, ADecodeRowReadsTheKeysThatItSeesOnce) {
  for (const tensor::KvFormat kv :
       {tensor::KvFormat::bf16, tensor::KvFormat::int8, tensor::KvFormat::int4}) {
    Counted counted(GetParam(), 1, kv);
    const SequenceId sequence = counted.executor->create_sequence();
    for (const int32_t n_prompt : {1, 300, 700}) {  // beyond Gemma's window of 512
      counted.step(std::span(&sequence, 1), n_prompt);
      const int32_t position = counted.executor->length(sequence);
      EXPECT_EQ(counted.step(std::span(&sequence, 1), 1).kv_bytes,
                kv_bytes_of_row(counted.model->spec, position, kv));
    }
  }
}

void expect_no_allocation(Counted counted) {
  std::vector<SequenceId> sequences(4);
  for (SequenceId& sequence : sequences) sequence = counted.executor->create_sequence();
  counted.step(sequences, 130);
  for (int i = 0; i < 3; ++i) counted.step(sequences, 1, i);
  const int64_t before = n_allocations.load();
  for (int i = 0; i < 20; ++i) counted.step(sequences, 1);
  for (int i = 0; i < 15; ++i) counted.step(sequences, 1, 1);
  for (int i = 0; i < 15; ++i) counted.step(std::span(sequences).first(1), 1, 40);
  EXPECT_EQ(n_allocations.load() - before, 0);
}

TEST_P(WorkOf, NothingIsAllocatedWhileASequenceGrows) {
  if (!kCountsAllocations) GTEST_SKIP() << "the sanitizer allocates for itself";
  for (const tensor::KvFormat kv :
       {tensor::KvFormat::bf16, tensor::KvFormat::int8, tensor::KvFormat::int4}) {
    SCOPED_TRACE(tensor::kv_format_name(kv));
    expect_no_allocation(Counted(GetParam(), 1, kv));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, WorkOf, ::testing::Values("smollm2-135m", "gemma3-270m"), [](const auto& entry) {
      return std::string(entry.param).substr(0, std::string(entry.param).find('-'));
    });

TinyOptions with_experts() {
  TinyOptions options;
  options.n_experts = 32;
  options.n_used = 3;
  options.shared_expert = true;
  return options;
}

TEST(WorkOfExperts, OnlyThoseThatSomeRowGoesToAreRead) {
  TinyOptions options = with_experts();
  options.windows = {0};
  for (const int n_threads : {1, 2}) {
    Counted counted(tiny_model(options), n_threads);
    const SequenceId sequence = counted.executor->create_sequence();
    const int64_t expert =
        3 * tensor::packed_bytes(tensor::DType::q8_0, options.n_hidden, options.n_embd);
    const auto chosen_of = [&](int32_t n_rows, int64_t& bytes) {
      bytes = counted.step(std::span(&sequence, 1), n_rows).weight_bytes;
      const auto chosen = counted.executor->chosen_experts().at(0);
      return static_cast<int64_t>(std::set<int32_t>(chosen.begin(), chosen.end()).size());
    };
    int64_t one_row = 0;
    int64_t more_rows = 0;
    EXPECT_EQ(chosen_of(1, one_row), options.n_used);
    for (const int32_t n_rows : {2, 7, 100}) {
      const int64_t n_chosen = chosen_of(n_rows, more_rows);
      EXPECT_EQ(more_rows - one_row, (n_chosen - options.n_used) * expert) << n_rows;
    }
  }
}

TEST(WorkOfExperts, NothingIsAllocatedWhileASequenceGrows) {
  if (!kCountsAllocations) GTEST_SKIP() << "the sanitizer allocates for itself";
  expect_no_allocation(Counted(tiny_model(with_experts())));
}

// Calls and barriers of a step with one thread: a growth is a stage that was not there before.
TEST(WorkOfAStep, CallsAndBarriersDoNotGrow) {
  struct Case {
    const char* model;
    int32_t n_sequences, n_rows;
    int64_t calls, barriers;
  };
  for (const Case& c :
       {Case{"smollm2-135m", 1, 1, 271, 332}, Case{"smollm2-135m", 1, 256, 1621, 332},
        Case{"gemma3-270m", 8, 1, 253, 200}}) {
    Counted counted(c.model);
    std::vector<SequenceId> sequences(static_cast<size_t>(c.n_sequences));
    for (SequenceId& sequence : sequences) sequence = counted.executor->create_sequence();
    const Work work = counted.step(sequences, c.n_rows);
    EXPECT_GT(work.kernel_calls, c.calls * 95 / 100) << "fewer: write down the new number";
    EXPECT_GT(work.barriers, c.barriers * 95 / 100);
    EXPECT_LE(work.kernel_calls, c.calls) << c.model << ", " << c.n_rows << " rows";
    EXPECT_LE(work.barriers, c.barriers) << c.model << ", " << c.n_rows << " rows";
  }
}

}  // namespace
}  // namespace strata::inference
