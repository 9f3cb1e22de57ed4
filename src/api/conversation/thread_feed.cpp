#include "api/conversation/thread_feed.h"

#include "core/error.h"

namespace strata::api {

void ThreadFeed::listen(const std::string& owner, const std::shared_ptr<Exchange>& exchange) {
  const std::lock_guard lock(mutex_);
  auto& mine = listeners_[owner];
  std::erase_if(mine, [](const auto& each) { return each->gone(); });
  if (closed_ || mine.size() >= kMaxListeners) {
    throw Error(
        Code::unavailable,
        closed_ ? "the server stops" : fmt::format("{} windows listen already", kMaxListeners),
        "close one");
  }
  exchange->begin(200, "text/event-stream; charset=utf-8");
  exchange->write("retry: 1000\n\n");
  exchange->on_silence([weak = std::weak_ptr(exchange)] {
    if (const auto open = weak.lock()) open->write(": still here\n\n");
  });
  mine.push_back(exchange);
}

void ThreadFeed::tell(const std::string& owner, std::string_view event, const json::object& data) {
  const std::lock_guard lock(mutex_);
  const auto at = listeners_.find(owner);
  if (at == listeners_.end()) return;
  const std::string text = fmt::format("event: {}\ndata: {}\n\n", event, to_json(data));
  std::erase_if(at->second, [&](const auto& each) { return !each->write(text); });
}

void ThreadFeed::close() {
  std::map<std::string, std::vector<std::shared_ptr<Exchange>>> all;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  closed_ = true;
  all.swap(listeners_);
  for (const auto& [owner, exchanges] : all) {
    for (const auto& each : exchanges) each->end();
  }
}

}  // namespace strata::api
