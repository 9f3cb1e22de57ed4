#include "api/http/exchange_state.h"

#include <array>
#include <chrono>
#include <ctime>

#include <fmt/core.h>

#include "core/version.h"

namespace strata::api {
namespace {

// RFC 9110, section 5.6.7.
std::string http_date() {
  static constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  gmtime_r(&now, &utc);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                     kDays[static_cast<size_t>(utc.tm_wday)], utc.tm_mday,
                     kMonths[static_cast<size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour,
                     utc.tm_min, utc.tm_sec);
}

// A value made from input must not be able to begin another header line.
void put_header(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  for (const char c : value) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  out += "\r\n";
}

}  // namespace

ExchangeState::ExchangeState(Request request, Settings settings)
    : request_(std::move(request)),
      head_only_(request_.method == "HEAD"),
      settings_(std::move(settings)) {}

void ExchangeState::wake_locked() {
  if (awake_ || released_ || !settings_.wake) return;
  awake_ = true;
  settings_.wake();
}

void ExchangeState::add_header(std::string name, std::string value) {
  const std::lock_guard lock(mutex_);
  extra_headers_.add(std::move(name), std::move(value));
}

void ExchangeState::put_head(const Response& response, bool length_known) {
  status_ = response.status;
  const bool no_body = response.status == 204;
  chunked_ = !length_known && !request_.http_1_0;
  if (!length_known && request_.http_1_0) settings_.close_after = true;
  pending_ += fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
  put_header(pending_, "server", fmt::format("strata/{}", version()));
  put_header(pending_, "date", http_date());
  put_header(pending_, "x-request-id", request_.id);
  if (!no_body) put_header(pending_, "content-type", response.content_type);
  if (length_known && !no_body) {
    put_header(pending_, "content-length", std::to_string(response.body.size()));
  }
  if (chunked_) put_header(pending_, "transfer-encoding", "chunked");
  put_header(pending_, "x-content-type-options", "nosniff");
  for (const auto& [name, value] : response.headers.all()) put_header(pending_, name, value);
  for (const auto& [name, value] : extra_headers_.all()) put_header(pending_, name, value);
  put_header(pending_, "connection", settings_.close_after ? "close" : "keep-alive");
  pending_ += "\r\n";
}

void ExchangeState::respond(Response response) {
  const std::lock_guard lock(mutex_);
  if (status_ != 0 || released_) return;
  put_head(response, true);
  if (!head_only_ && response.status != 204) pending_ += response.body;
  ended_ = true;
  wake_locked();
}

void ExchangeState::begin(int status, std::string content_type) {
  const std::lock_guard lock(mutex_);
  if (status_ != 0 || released_) return;
  Response head;
  head.status = status;
  head.content_type = std::move(content_type);
  head.headers.add("cache-control", "no-store");
  put_head(head, false);
  wake_locked();
}

bool ExchangeState::write(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  if (released_ || overflow_ || ended_ || status_ == 0) return false;
  if (bytes.empty() || head_only_) return true;
  if (pending_.size() + in_flight_ + bytes.size() > settings_.max_backlog_bytes) {
    overflow_ = true;
    awake_ = false;  // a wake that waits for what is being sent would be as late as the client
    wake_locked();
    return false;
  }
  if (chunked_) pending_ += fmt::format("{:x}\r\n", bytes.size());
  pending_ += bytes;
  if (chunked_) pending_ += "\r\n";
  wake_locked();
  return true;
}

void ExchangeState::end() {
  const std::lock_guard lock(mutex_);
  if (released_ || ended_ || status_ == 0) return;
  if (chunked_ && !head_only_) pending_ += "0\r\n\r\n";
  ended_ = true;
  wake_locked();
}

bool ExchangeState::begun() const {
  const std::lock_guard lock(mutex_);
  return status_ != 0;
}

bool ExchangeState::overflowed() const {
  const std::lock_guard lock(mutex_);
  return overflow_;
}

bool ExchangeState::gone() const {
  const std::lock_guard lock(mutex_);
  return released_ || overflow_;
}

void ExchangeState::keep(std::shared_ptr<void> work) {
  const std::lock_guard lock(mutex_);
  if (!released_) {
    work_ = std::move(work);
    return;
  }
  // Too late: the client went away while the work was being started. It is destroyed when the
  // caller's last reference ends.
}

void ExchangeState::on_silence(std::function<void()> beat, int64_t every_ms) {
  const std::lock_guard lock(mutex_);
  if (released_) return;
  beat_ = std::move(beat);
  beat_every_ms_ = every_ms;
  wake_locked();  // the connection waits for the usual time as yet
}

int64_t ExchangeState::silence_ms() const {
  const std::lock_guard lock(mutex_);
  return beat_every_ms_;
}

ExchangeState::Output ExchangeState::take() {
  const std::lock_guard lock(mutex_);
  awake_ = false;
  Output output{std::move(pending_), ended_};
  pending_.clear();
  in_flight_ = output.bytes.size();
  return output;
}

void ExchangeState::beat() {
  std::function<void()> beat;
  {
    const std::lock_guard lock(mutex_);
    if (!ended_ && !released_) beat = beat_;
  }
  if (beat) beat();
}

void ExchangeState::release(bool cut_off) {
  std::shared_ptr<void> work;
  std::function<void()> wake, beat;
  {
    const std::lock_guard lock(mutex_);
    work = std::move(work_);
    beat = std::move(beat_);
    if (cut_off || ended_) {
      released_ = true;
      wake = std::move(settings_.wake);
    }
  }
}

bool ExchangeState::close_after() const {
  const std::lock_guard lock(mutex_);
  return settings_.close_after;
}

int ExchangeState::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

}  // namespace strata::api
