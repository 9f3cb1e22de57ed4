#include "api/conversation/thread_feed.h"

#include "core/error.h"

namespace strata::api {

void ThreadFeed::listen(const std::string& owner, const std::shared_ptr<Exchange>& exchange,
                        MayListen may) {
  const std::lock_guard lock(mutex_);
  auto& mine = listeners_[owner].exchanges;
  std::erase_if(mine, [](const auto& each) { return each->gone(); });
  if (closed_ || mine.size() >= kMaxListeners) {
    throw Error(
        Code::unavailable,
        closed_ ? "the server stops" : fmt::format("{} windows listen already", kMaxListeners),
        "close one");
  }
  exchange->begin(200, "text/event-stream; charset=utf-8");
  exchange->write("retry: 1000\n\n");
  exchange->on_silence([weak = std::weak_ptr(exchange), owner, may] {
    const auto open = weak.lock();
    if (!open) return;
    if (!may(owner)) return open->end();
    open->write(": still here\n\n");
  });
  mine.push_back(exchange);
  listeners_[owner].may = std::move(may);
}

ThreadFeed::Listeners* ThreadFeed::of(const std::string& owner) {
  const auto at = listeners_.find(owner);
  if (at == listeners_.end()) return nullptr;
  if (at->second.may(owner)) return &at->second;
  for (const auto& each : at->second.exchanges) each->end();
  listeners_.erase(at);
  return nullptr;
}

void ThreadFeed::tell(const std::string& owner, std::string_view event, const json::object& data) {
  const std::lock_guard lock(mutex_);
  Listeners* mine = of(owner);
  if (!mine) return;
  const std::string text = fmt::format("event: {}\ndata: {}\n\n", event, to_json(data));
  std::erase_if(mine->exchanges, [&](const auto& each) { return !each->write(text); });
}

void ThreadFeed::look_again(const std::string& owner) {
  const std::lock_guard lock(mutex_);
  of(owner);
}

void ThreadFeed::close() {
  std::map<std::string, Listeners> all;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  closed_ = true;
  all.swap(listeners_);
  for (const auto& [owner, mine] : all) {
    for (const auto& each : mine.exchanges) each->end();
  }
}

}  // namespace strata::api
