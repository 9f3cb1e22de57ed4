// What `strata bench` found, for people and as JSON.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "inference/bench.h"

namespace strata::app {

// One case: a prompt that is read, or tokens that are written.
struct BenchLine {
  bool generate = false;
  int32_t prompt = 0;                 // tokens, when not generate
  inference::GenerateCase generated;  // when generate
  std::vector<double> speeds;         // tokens per second, of each round
  double limit = 0.0;                 // tokens per second that the memory allows; 0: another limit

  double median() const;
  std::string name() const;  // "generate 128, 8 at once, depth 4096"
};

// The machine and the settings of a run.
struct BenchRun {
  std::string_view kernels;
  std::string_view kv;  // what keys and values are kept as
  int n_threads = 0;
  double bandwidth = 0.0;  // bytes per second read from memory
};

// Speeds of an earlier run by the names of its cases.
using EarlierBench = std::map<std::string, double>;
// From what bench_json gave. Error{invalid_argument} when it is something else.
EarlierBench read_earlier_bench(const std::string& file);

json::object bench_json(const std::vector<BenchLine>& lines, const BenchRun& run);
void print_bench(const std::vector<BenchLine>& lines, const BenchRun& run,
                 const std::optional<EarlierBench>& earlier);

}  // namespace strata::app
