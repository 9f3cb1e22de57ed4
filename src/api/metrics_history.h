// How the server did over the last hour: a bounded ring of readings, one every few seconds.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "api/gateway/gateway.h"

namespace strata::api {

constexpr int64_t kHistoryStepMs = 5000;
constexpr size_t kHistoryPoints = 720;  // an hour

struct HistoryPoint {
  int64_t time_ms = 0;           // since 1970
  double tokens_per_second = 0;  // written since the point before
  uint64_t requests = 0;         // for which a model was asked since the point before
  int32_t running = 0, waiting = 0;
  uint64_t memory_bytes = 0;  // resident, of this process
};

// Any thread may call.
class MetricsHistory {
 public:
  struct Reading {
    std::vector<std::pair<std::string, int64_t>> written;  // tokens since the model was loaded
    uint64_t requests = 0;                                 // since the server began
    int32_t running = 0, waiting = 0;
    uint64_t memory_bytes = 0;
  };
  static Reading read(const Gateway& gateway);

  // The first reading is what later ones are compared with, and a point of zeros.
  void add(int64_t now_ms, const Reading& reading);
  std::vector<HistoryPoint> points() const;  // the oldest first

 private:
  mutable std::mutex mutex_;
  std::vector<HistoryPoint> points_;  // a ring once it is full
  size_t oldest_ = 0;
  Reading before_;
};

}  // namespace strata::api
