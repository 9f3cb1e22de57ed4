#include "inference/stop_strings.h"

#include "core/check.h"
#include "core/error.h"
#include "core/utf8.h"

namespace strata::inference {

void validate_stops(std::span<const std::string> stops) {
  if (stops.size() > kMaxStops) {
    throw Error(Code::invalid_argument,
                fmt::format("{} stop strings, the limit is {}", stops.size(), kMaxStops));
  }
  for (const std::string& stop : stops) {
    if (stop.empty() || stop.size() > kMaxStopBytes) {
      throw Error(Code::invalid_argument,
                  fmt::format("a stop string has {} bytes, it must have 1 to {}", stop.size(),
                              kMaxStopBytes));
    }
    if (!is_valid_utf8(stop)) {
      throw Error(Code::invalid_argument, "a stop string is not valid UTF-8");
    }
  }
}

StopMatcher::StopMatcher(std::span<const std::string> stops)
    : stops_(stops.begin(), stops.end()), nodes_(1) {
  for (size_t i = 0; i < stops_.size(); ++i) add(stops_[i], static_cast<int32_t>(i));
  link();
}

void StopMatcher::add(const std::string& stop, int32_t index) {
  int32_t at = 0;
  for (char c : stop) {
    const auto byte = static_cast<unsigned char>(c);
    int32_t to = child(at, byte);
    if (to < 0) {
      to = static_cast<int32_t>(nodes_.size());
      nodes_.push_back({});
      nodes_.back().depth = nodes_[static_cast<size_t>(at)].depth + 1;
      nodes_[static_cast<size_t>(at)].next.emplace_back(byte, to);
    }
    at = to;
  }
  int32_t& end = nodes_[static_cast<size_t>(at)].stop;
  if (end < 0) end = index;
}

// Breadth first, so that a node's fallback, which is nearer to the root, is ready before it.
void StopMatcher::link() {
  std::vector<int32_t> order{0};
  for (size_t i = 0; i < order.size(); ++i) {
    const int32_t at = order[i];
    for (const auto& [byte, to] : nodes_[static_cast<size_t>(at)].next) {
      Node& node = nodes_[static_cast<size_t>(to)];
      node.fallback = at == 0 ? 0 : advance(nodes_[static_cast<size_t>(at)].fallback, byte);
      if (node.stop < 0) node.stop = nodes_[static_cast<size_t>(node.fallback)].stop;
      order.push_back(to);
    }
  }
}

int32_t StopMatcher::child(int32_t node, unsigned char byte) const {
  for (const auto& [edge, to] : nodes_[static_cast<size_t>(node)].next) {
    if (edge == byte) return to;
  }
  return -1;
}

int32_t StopMatcher::advance(int32_t node, unsigned char byte) const {
  for (;;) {
    const int32_t to = child(node, byte);
    if (to >= 0) return to;
    if (node == 0) return 0;
    node = nodes_[static_cast<size_t>(node)].fallback;
  }
}

std::string StopMatcher::push(std::string_view piece) {
  if (matched()) return {};
  for (char c : piece) {
    held_ += c;
    state_ = advance(state_, static_cast<unsigned char>(c));
    const int32_t stop = nodes_[static_cast<size_t>(state_)].stop;
    if (stop < 0) continue;
    match_ = stop;
    held_.resize(held_.size() - stops_[static_cast<size_t>(stop)].size());
    return std::exchange(held_, {});
  }
  const auto may_match = static_cast<size_t>(nodes_[static_cast<size_t>(state_)].depth);
  std::string certain = held_.substr(0, held_.size() - may_match);
  held_.erase(0, certain.size());
  return certain;
}

std::string StopMatcher::finish() {
  return matched() ? std::string() : std::exchange(held_, {});
}

const std::string& StopMatcher::match() const {
  CHECK(matched());
  return stops_[static_cast<size_t>(match_)];
}

}  // namespace strata::inference
