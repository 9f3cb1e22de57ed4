// Speed of matmul per layout: bytes of packed weights a second where few columns read them
// (compare with the memory's), operations a second where many share them.
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "core/threads.h"
#include "tensor/ops.h"
#include "tensor/packed.h"
#include "tensor/testing/random_weights.h"

namespace strata::tensor {
namespace {

struct Shape {
  int64_t rows, cols;
};

struct Case {
  DType type = DType::q4_0;
  bool planes = false;
  Shape shape;
  int64_t columns = 1;
  int threads = 1;
  bool cached = true;

  std::string name() const {
    return std::string(dtype_info(type).name) + (planes ? " in planes/" : "/") +
           std::to_string(shape.rows) + "x" + std::to_string(shape.cols) +
           "/columns:" + std::to_string(columns) + "/threads:" + std::to_string(threads) +
           (cached ? "/cached" : "/memory");
  }
};

InputRows input_of(int64_t n, int64_t k) {
  InputRows input;
  input.wants_bf16 = true;
  input.wants_f32 = true;
  input.resize(n, k);
  for (int64_t r = 0; r < n; ++r) {
    fill_row(testing::random_row(k, static_cast<uint32_t>(r)).data(), input, r);
  }
  return input;
}

// Passes over enough copies of one matrix that they do not stay in the cache.
void run(benchmark::State& state, const Case& c) {
  const auto [rows, cols] = c.shape;
  const int64_t n = c.columns;
  Team team(c.threads);
  const auto source = testing::random_matrix(c.type, rows, cols, 1);
  std::vector<PackedMatrix> matrices;
  size_t bytes = 0;
  while (matrices.empty() || (!c.cached && bytes < size_t{96} << 20)) {
    WeightSource exact = source.source();
    exact.exact = true;
    matrices.push_back(c.planes ? PackedMatrix::pack_in_planes(exact, team)
                                : PackedMatrix::pack(std::vector{exact}, team));
    bytes += matrices.back().bytes();
  }
  const InputRows input = input_of(n, cols);
  std::vector<float> out(static_cast<size_t>(n * rows));
  for (auto _ : state) {
    team.run([&](int thread) {
      for (const PackedMatrix& m : matrices) {
        matmul_share(m, input, n, out.data(), rows, thread, c.threads);
        team.barrier();
      }
    });
  }
  const double passes = static_cast<double>(state.iterations());
  const double weights = static_cast<double>(rows * cols) * static_cast<double>(matrices.size());
  state.counters["GB/s"] =
      benchmark::Counter(passes * static_cast<double>(bytes) * 1e-9, benchmark::Counter::kIsRate);
  state.counters["GOPS"] = benchmark::Counter(passes * 2e-9 * weights * static_cast<double>(n),
                                              benchmark::Counter::kIsRate);
}

void pack_speed(benchmark::State& state, DType type) {
  Team team(2);
  const auto source = testing::random_matrix(type, 4096, 2048, 1);
  for (auto _ : state) {
    benchmark::DoNotOptimize(PackedMatrix::pack(std::vector{source.source()}, team));
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) *
                          static_cast<int64_t>(source.bytes.size()));
}

void add(const Case& c) {
  benchmark::RegisterBenchmark(c.name().c_str(), [=](benchmark::State& state) {
    run(state, c);
  })->UseRealTime();
}

void add_all(DType type, bool planes, Shape shape) {
  for (const int64_t n : {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 504}) {
    add({type, planes, shape, n, 1, true});
  }
  add({type, planes, shape, 504, 2, true});
  for (const int threads : {1, 2}) {
    for (const int64_t n : {1, 4, 8, 16}) add({type, planes, shape, n, threads, false});
  }
}

const bool registered = [] {
  add_all(DType::q8_0, true, {1536, 640});
  for (const DType type : {DType::q4_0, DType::iq4_nl, DType::q4_1, DType::q5_0, DType::q8_0,
                           DType::q4_k, DType::q5_k, DType::q6_k, DType::bf16, DType::f32}) {
    add_all(type, false, {1536, dtype_info(type).block_weights == 256 ? 768 : 576});
    for (const int64_t n : {8, 504}) add({type, false, {512, 14336}, n, 1, true});
    benchmark::RegisterBenchmark(("pack/" + std::string(dtype_info(type).name)).c_str(),
                                 [=](benchmark::State& state) { pack_speed(state, type); })
        ->UseRealTime();
  }
  return true;
}();

}  // namespace
}  // namespace strata::tensor
