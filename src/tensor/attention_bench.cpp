// Speed of attention: bytes of keys and values a second in decode, useful (causal) operations a
// second in prefill.
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "core/threads.h"
#include "tensor/attention.h"
#include "tensor/testing/random_weights.h"

namespace strata::tensor {
namespace {

struct Shape {
  int32_t head_dim, n_heads, n_kv_heads, n_layers;
};

// All layers, each with its own cache, as a step reads them.
void run(benchmark::State& state, Shape shape, KvFormat format, int32_t first, int32_t n_rows,
         int threads) {
  const KvShape kv{shape.head_dim, format};
  const int32_t n_positions = first + n_rows;
  const int32_t n_pages = (n_positions + kv.page_positions() - 1) / kv.page_positions();
  const int64_t pages_all = int64_t{n_pages} * shape.n_kv_heads * shape.n_layers;
  const Buffer memory(static_cast<size_t>(pages_all * kv.page_bytes()));
  const auto key = testing::random_row(shape.head_dim, 1);
  std::vector<const uint16_t*> pages;
  for (int64_t i = 0; i < pages_all; ++i) {
    uint16_t* page = memory.as<uint16_t>() + i * kv.page_words();
    for (int32_t s = 0; s < kv.page_positions(); ++s) write_kv(kv, page, s, key.data(), key.data());
    pages.push_back(page);
  }
  const int64_t width = int64_t{shape.n_heads} * shape.head_dim;
  const auto q = testing::random_row(n_rows * width, 2);
  std::vector<float> out(q.size());
  const AttentionSetup setup{.n_heads = shape.n_heads,
                             .n_kv_heads = shape.n_kv_heads,
                             .kv = kv,
                             .scale = 0.125f,
                             .q = q.data(),
                             .q_stride = width,
                             .out = out.data(),
                             .out_stride = width};
  Team team(threads);
  AttentionStep step;
  const auto span_of = [&](int64_t layer) {
    return AttentionSpan{0, n_rows, first, pages.data() + layer * shape.n_kv_heads * n_pages,
                         n_pages};
  };
  step.plan(setup, std::vector{span_of(0)});
  for (auto _ : state) {
    for (int64_t layer = 0; layer < shape.n_layers; ++layer) {
      step.set(setup, std::vector{span_of(layer)});
      team.run([&](int thread) {
        step.run(thread, threads);
        team.barrier();
        step.finish(thread, threads);
      });
    }
  }
  const auto passes = static_cast<double>(state.iterations());
  const double pairs = static_cast<double>(n_rows) * (first + (n_rows + 1) / 2.0);
  const double operations = 4 * pairs * static_cast<double>(width) * shape.n_layers;
  state.counters["GB/s"] = benchmark::Counter(passes * 1e-9 * static_cast<double>(memory.size()),
                                              benchmark::Counter::kIsRate);
  state.counters["GOPS"] =
      benchmark::Counter(passes * 1e-9 * operations, benchmark::Counter::kIsRate);
}

const bool registered = [] {
  const Shape shapes[] = {{64, 9, 3, 30}, {256, 4, 1, 18}};
  for (const Shape& shape : shapes) {
    for (const auto& [first, n_rows] :
         {std::pair{4095, 1}, {127, 1}, {4094, 2}, {4092, 4}, {4084, 12}, {0, 512}, {1536, 512}}) {
      for (const int threads : {1, 2}) {
        for (const KvFormat format : {KvFormat::bf16, KvFormat::int8, KvFormat::int4}) {
          const std::string name =
              "attention/dim:" + std::to_string(shape.head_dim) +
              "/first:" + std::to_string(first) + "/rows:" + std::to_string(n_rows) +
              "/threads:" + std::to_string(threads) + "/" + std::string(kv_format_name(format));
          benchmark::RegisterBenchmark(name.c_str(), [=, from = first,
                                                      n = n_rows](benchmark::State& state) {
            run(state, shape, format, from, n, threads);
          })->UseRealTime();
        }
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace strata::tensor
