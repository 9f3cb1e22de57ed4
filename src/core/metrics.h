// Counters, gauges and histograms, written as Prometheus text (exposition format 0.0.4).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace strata {

// A metric's labels, in the order in which they are written.
using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class Counter {
 public:
  void add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class Histogram {
 public:
  // Upper bounds in ascending order; +Inf is added.
  explicit Histogram(std::vector<double> bounds);
  void observe(double value);

  struct Snapshot {
    std::vector<uint64_t> cumulative;  // one a bound, then +Inf
    double sum = 0;
  };
  Snapshot snapshot() const;
  const std::vector<double>& bounds() const { return bounds_; }

 private:
  const std::vector<double> bounds_;
  mutable std::mutex mutex_;
  std::vector<uint64_t> counts_;
  double sum_ = 0;
};

// Holds metrics by name and labels. Thread-safe; what it returns lives as long as it does.
class Metrics {
 public:
  Counter& counter(const std::string& name, const std::string& help, MetricLabels labels = {});
  Histogram& histogram(const std::string& name, const std::string& help,
                       std::span<const double> bounds, MetricLabels labels = {});
  // Values that are asked for when the text is written: gauges, and counters kept elsewhere.
  struct Sample {
    MetricLabels labels;
    double value = 0;
  };
  void on_read(const std::string& name, const std::string& help, const std::string& type,
               std::function<std::vector<Sample>()> read);

  std::string text() const;

 private:
  struct Family {
    std::string help, type;
    std::map<MetricLabels, std::unique_ptr<Counter>> counters;
    std::map<MetricLabels, std::unique_ptr<Histogram>> histograms;
    std::function<std::vector<Sample>()> read;
  };
  Family& family(const std::string& name, const std::string& help, const std::string& type);
  mutable std::mutex mutex_;
  std::map<std::string, Family> families_;
};

}  // namespace strata
