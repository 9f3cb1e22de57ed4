#include "api/metrics_history.h"

#include <algorithm>

#include "core/os.h"

namespace strata::api {
namespace {

// A model that was loaded anew counts from nothing again.
int64_t written_since(const MetricsHistory::Reading& before, const MetricsHistory::Reading& now) {
  int64_t tokens = 0;
  for (const auto& [model, written] : now.written) {
    const auto earlier =
        std::ranges::find(before.written, model, &std::pair<std::string, int64_t>::first);
    const bool went_on = earlier != before.written.end() && earlier->second <= written;
    tokens += went_on ? written - earlier->second : written;
  }
  return tokens;
}

}  // namespace

MetricsHistory::Reading MetricsHistory::read(const Gateway& gateway) {
  Reading out;
  for (const RunningModel& model : gateway.running()) {
    out.written.emplace_back(model.card.name, model.stats.decode_tokens);
    out.running += model.running;
    out.waiting += model.queued;
  }
  out.requests = gateway.asked();
  out.memory_bytes = resident_bytes();
  return out;
}

void MetricsHistory::add(int64_t now_ms, const Reading& reading) {
  const std::lock_guard lock(mutex_);
  HistoryPoint point{now_ms, 0, 0, reading.running, reading.waiting, reading.memory_bytes};
  if (!points_.empty()) {
    const auto& last = points_[(oldest_ + points_.size() - 1) % points_.size()];
    const int64_t passed_ms = std::max<int64_t>(now_ms - last.time_ms, 1);
    point.tokens_per_second = 1000.0 * static_cast<double>(written_since(before_, reading)) /
                              static_cast<double>(passed_ms);
    point.requests = reading.requests - std::min(reading.requests, before_.requests);
  }
  before_ = reading;
  if (points_.size() < kHistoryPoints) {
    points_.push_back(point);
    return;
  }
  points_[oldest_] = point;
  oldest_ = (oldest_ + 1) % points_.size();
}

std::vector<HistoryPoint> MetricsHistory::points() const {
  const std::lock_guard lock(mutex_);
  std::vector<HistoryPoint> out(points_.begin() + static_cast<ptrdiff_t>(oldest_), points_.end());
  out.insert(out.end(), points_.begin(), points_.begin() + static_cast<ptrdiff_t>(oldest_));
  return out;
}

}  // namespace strata::api
