#include "api/files/line_exchange.h"

namespace strata::api {

void LineExchange::respond(Response response) {
  const std::lock_guard lock(mutex_);
  if (begun_ || released_) return;
  begun_ = true;
  done_(std::move(response));
}

void LineExchange::begin(int status, std::string content_type) {
  const std::lock_guard lock(mutex_);
  begun_ = true;
  streamed_.status = status;
  streamed_.content_type = std::move(content_type);
}

bool LineExchange::write(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  if (released_) return false;
  streamed_.body += bytes;
  return true;
}

void LineExchange::end() {
  const std::lock_guard lock(mutex_);
  if (!released_) done_(std::move(streamed_));
}

bool LineExchange::begun() const {
  const std::lock_guard lock(mutex_);
  return begun_;
}

bool LineExchange::gone() const {
  const std::lock_guard lock(mutex_);
  return released_;
}

void LineExchange::keep(std::shared_ptr<void> work) {
  const std::lock_guard lock(mutex_);
  if (!released_) work_ = std::move(work);
}

void LineExchange::release() {
  std::shared_ptr<void> work;  // destroyed behind the lock
  const std::lock_guard lock(mutex_);
  released_ = true;
  work = std::move(work_);
}

void BatchInbox::put(BatchResult result) {
  const std::lock_guard lock(mutex_);
  results_.push_back(std::move(result));
  changed_.notify_all();
}

void BatchInbox::wake() {
  const std::lock_guard lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

void BatchInbox::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

void BatchInbox::reopen() {
  const std::lock_guard lock(mutex_);
  closed_ = false;
}

bool BatchInbox::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

void BatchInbox::clear() {
  const std::lock_guard lock(mutex_);
  results_.clear();
}

void BatchInbox::wait_for_work() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return woken_ || closed_; });
  woken_ = false;
}

void BatchInbox::pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [this] { return closed_; });
}

std::optional<BatchResult> BatchInbox::next(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [this] { return woken_ || closed_ || !results_.empty(); });
  woken_ = false;
  if (closed_ || results_.empty()) return std::nullopt;
  BatchResult result = std::move(results_.front());
  results_.pop_front();
  return result;
}

}  // namespace strata::api
