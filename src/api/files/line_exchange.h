// A request of a batch as a handler sees it, and where its answer is waited for.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "api/http/http.h"

namespace strata::api {

// Takes one whole answer and tells it once, from whichever thread it came. `done` is called with
// the exchange's lock, so that nothing is told any more once release() has returned.
class LineExchange final : public Exchange {
 public:
  LineExchange(Request request, std::function<void(Response)> done)
      : request_(std::move(request)), done_(std::move(done)) {}

  const Request& request() const override { return request_; }
  void add_header(std::string, std::string) override {}  // nobody reads them
  void respond(Response response) override;
  // A stream is one answer too.
  void begin(int status, std::string content_type) override;
  bool write(std::string_view bytes) override;
  void end() override;
  bool begun() const override;
  bool gone() const override;
  void keep(std::shared_ptr<void> work) override;
  // Over: destroys the work. It would hold this exchange for ever otherwise.
  void release();
  void on_silence(std::function<void()>, int64_t) override {}

 private:
  const Request request_;
  const std::function<void(Response)> done_;
  mutable std::mutex mutex_;
  bool begun_ = false, released_ = false;
  Response streamed_;
  std::shared_ptr<void> work_;
};

struct BatchResult {
  size_t request = 0;
  Response response;
};

// Answers for the runner's thread, from the engine's.
class BatchInbox {
 public:
  void put(BatchResult result);
  void wake();  // there is something new to do
  void close();
  void reopen();
  bool closed() const;
  void clear();  // of answers to what is not waited for any more

  void wait_for_work();  // until wake() or close(), also one since the last time
  void pause(std::chrono::milliseconds time);
  // nullopt: woken, closed, or nothing came in that time.
  std::optional<BatchResult> next(std::chrono::milliseconds time);

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<BatchResult> results_;
  bool woken_ = false, closed_ = true;
};

}  // namespace strata::api
