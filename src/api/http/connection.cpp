#include "api/http/connection.h"

#include <algorithm>
#include <random>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include "api/limits.h"
#include "core/log.h"

namespace strata::api {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr size_t kReadBytes = 16u << 10;
constexpr size_t kPieceBytes = 256u << 10;  // each has kWriteTimeoutMs to be taken

// The client's own id is kept when it can do no harm in a log or a header.
std::string request_id(const Headers& headers) {
  if (const auto given = headers.find("x-request-id")) {
    const bool safe = !given->empty() && given->size() <= 128 &&
                      std::ranges::all_of(*given, [](char c) { return c > 0x20 && c < 0x7f; });
    if (safe) return std::string(*given);
  }
  static thread_local std::mt19937_64 random{std::random_device{}()};
  return fmt::format("req-{:016x}", random());
}

}  // namespace

Connection::Connection(std::shared_ptr<HttpCore> core, asio::ip::tcp::socket socket)
    : core_(std::move(core)),
      socket_(std::move(socket)),
      timer_(*core_->io),
      body_hold_(core_->requests),
      answer_hold_(core_->answers) {
  error_code error;
  const auto end = socket_.remote_endpoint(error);
  if (!error) peer_ = fmt::format("{}:{}", end.address().to_string(), end.port());
  socket_.set_option(asio::ip::tcp::no_delay(true), error);
  core_->connections.insert(this);
}

Connection::~Connection() {
  core_->connections.erase(this);
  if (exchange_) exchange_->release(true);
}

void Connection::start() {
  arm(kIdleTimeoutMs);
  read();
}

void Connection::refuse(int status, const std::string& message) {
  reader_ = RequestReader();
  Response response = core_->hooks.malformed(status, message, {});
  reader_.head().id = request_id({});
  dispatch([response](const std::shared_ptr<Exchange>& e) { e->respond(response); }, true);
  read();
}

void Connection::drain() {
  draining_ = true;
  if (!exchange_ && phase_ != Phase::lingering) close();
}

void Connection::close() {
  if (closed_) return;
  closed_ = true;
  const auto self = shared_from_this();
  if (exchange_) {
    const auto exchange = std::move(exchange_);
    exchange_.reset();
    exchange->release(true);
    if (core_->hooks.done) core_->hooks.done(exchange->request(), exchange->status(), true);
  }
  answer_hold_.set(0);  // its bytes go with what was being written, at once
  error_code ignored;
  timer_.cancel();
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
}

void Connection::read() {
  if (reading_ || closed_) return;
  if (exchange_ && buffer_.size() >= kMaxPipelinedBytes) return;  // it has to wait
  reading_ = true;
  scratch_.resize(kReadBytes);
  socket_.async_read_some(
      asio::buffer(scratch_),
      [self = shared_from_this()](const error_code& error, size_t n) { self->on_read(error, n); });
}

void Connection::on_read(const error_code& error, size_t n) {
  reading_ = false;
  if (closed_) return;
  if (error) {
    if (exchange_) log_info("{} {}: the client went away", exchange_->request().id, peer_);
    close();
    return;
  }
  if (phase_ == Phase::lingering) {
    discarded_bytes_ += n;
    if (discarded_bytes_ > kMaxDiscardedBytes) return close();
    return read();
  }
  buffer_.append(scratch_, 0, n);
  advance();
  read();
}

void Connection::advance() {
  while (!exchange_ && !closed_ && !ending_) {
    const size_t used = reader_.feed(buffer_);
    buffer_.erase(0, used);
    switch (reader_.state()) {
      case RequestReader::State::head:
        if (!buffer_.empty() && phase_ != Phase::head) {
          phase_ = Phase::head;
          arm(core_->options.header_timeout_ms);
        }
        return;
      case RequestReader::State::head_ready:
        if (phase_ != Phase::body) {
          phase_ = Phase::body;
          on_head();
        } else if (buffer_.empty()) {
          return;
        }
        break;
      case RequestReader::State::body:
        if (!hold_body(reader_.body_bytes())) return refuse_body();
        arm_for_body();
        return;
      case RequestReader::State::complete:
        dispatch(admission_.handler, !reader_.keep_alive() || draining_);
        return;
      case RequestReader::State::failed:
        if (reader_.status() == 413 && admission_.too_large) {
          refuse_head(admission_.too_large);
        } else {
          const Response response =
              core_->hooks.malformed(reader_.status(), reader_.message(), reader_.head());
          refuse_head([response](const std::shared_ptr<Exchange>& e) { e->respond(response); });
        }
        return;
    }
  }
}

void Connection::on_head() {
  Request& head = reader_.head();
  head.peer = peer_;
  head.id = request_id(head.headers);
  admission_ = core_->hooks.admit(head);
  reader_.limit_body(admission_.body_limit);
  body_deadline_ms_ = core_->options.now_ms() + core_->options.body_timeout_ms;
  arm_for_body();
  if (admission_.refused && reader_.has_body()) return refuse_head(admission_.handler);
  if (reader_.content_length().value_or(0) > admission_.body_limit) {
    return refuse_head(admission_.too_large);
  }
  if (!hold_body(reader_.content_length().value_or(0))) return refuse_body();
  if (reader_.expects_continue()) send("HTTP/1.1 100 Continue\r\n\r\n");
}

// Small ones are always taken: they are bounded by how many connections there may be.
bool Connection::hold_body(size_t bytes) {
  return bytes <= kMaxSmallBodyBytes || body_hold_.grow_to(bytes);
}

void Connection::refuse_body() {
  log_warn("{}: the server holds {} bytes of requests, {} are the most; a body was refused", peer_,
           core_->requests->used(), core_->requests->limit());
  const Response response = core_->hooks.malformed(
      503,
      fmt::format("the server holds {} bytes of other requests, and {} are the most",
                  core_->requests->used(), core_->requests->limit()),
      reader_.head());
  refuse_head([response](const std::shared_ptr<Exchange>& e) { e->respond(response); });
}

// Answers a request whose body stays unread; nothing behind it can be understood.
void Connection::refuse_head(const Handler& handler) {
  if (reader_.head().id.empty()) reader_.head().id = request_id({});
  buffer_.clear();
  dispatch(handler, true);
}

void Connection::dispatch(const Handler& handler, bool close_after) {
  phase_ = Phase::answering;
  if (reader_.head().peer.empty()) reader_.head().peer = peer_;
  ExchangeState::Settings settings;
  settings.close_after = close_after;
  settings.max_backlog_bytes = core_->options.max_backlog_bytes;
  settings.request_hold = std::exchange(body_hold_, ByteBudget::Hold(core_->requests));
  settings.wake = [weak = weak_from_this(), io = core_->io] {
    asio::post(*io, [weak] {
      if (const auto self = weak.lock()) self->flush();
    });
  };
  exchange_ = std::make_shared<ExchangeState>(reader_.take(), std::move(settings));
  reader_ = RequestReader();
  arm_for_silence();
  const auto exchange = exchange_;
  handler(exchange);
}

void Connection::flush() {
  if (closed_ || !exchange_) return;
  if (exchange_->overflowed()) {
    log_warn("{} {}: the client reads too slowly, over {} bytes wait; its answer was cancelled",
             exchange_->request().id, peer_, core_->options.max_backlog_bytes);
    return close();
  }
  if (writing_) return;
  auto output = exchange_->take();
  if (output.last) {
    ending_ = true;
    exchange_->release(false);
  }
  if (!output.bytes.empty()) {
    send(std::move(output.bytes));
  } else if (ending_) {
    finish_exchange();
  } else {
    arm_for_silence();
  }
}

void Connection::send(std::string bytes) {
  outgoing_ += bytes;
  if (writing_ || closed_) return;
  writing_ = true;
  sending_ = std::move(outgoing_);
  outgoing_.clear();
  sent_ = 0;
  last_taken_ = core_->n_taken;
  answer_hold_.set(sending_.size());
  make_room();
  send_piece();
}

// Where more is held than may be, those that have taken nothing for the longest are cut off. The
// newest answer is never among them: it alone may go beyond the limit.
void Connection::make_room() {
  while (core_->answers->used() > core_->answers->limit()) {
    Connection* slowest = nullptr;
    for (Connection* each : core_->connections) {
      if (each == this || each->answer_hold_.bytes() <= kPieceBytes) continue;
      if (!slowest || each->last_taken_ < slowest->last_taken_) slowest = each;
    }
    if (!slowest) return;
    log_warn("{}: {} bytes of answers wait for their readers, {} may; this one was cut off",
             slowest->peer_, core_->answers->used(), core_->answers->limit());
    slowest->close();
  }
}

// A long answer is read for as long as it takes, if only each of its pieces is.
void Connection::send_piece() {
  if (exchange_) arm(kWriteTimeoutMs);
  asio::async_write(
      socket_, asio::buffer(asio::buffer(sending_) + sent_, kPieceBytes),
      [self = shared_from_this()](const error_code& error, size_t n) { self->on_sent(error, n); });
}

void Connection::on_sent(const error_code& error, size_t n) {
  sent_ += n;
  last_taken_ = ++core_->n_taken;
  if (!closed_ && !error && sent_ < sending_.size()) return send_piece();
  writing_ = false;
  if (closed_) return;
  if (error) return close();
  sending_ = std::string();
  answer_hold_.set(0);
  if (!outgoing_.empty()) return send({});
  if (!exchange_) return;
  if (ending_) {
    finish_exchange();
  } else {
    flush();
  }
}

void Connection::finish_exchange() {
  ending_ = false;
  auto exchange = std::move(exchange_);
  exchange_.reset();
  if (core_->hooks.done) core_->hooks.done(exchange->request(), exchange->status(), false);
  if (exchange->close_after() || draining_) return linger();
  exchange.reset();  // with its body, before the next one asks for room
  phase_ = Phase::idle;
  arm(kIdleTimeoutMs);
  advance();  // what was pipelined
  read();
}

// Closes so that the client can still read the answer: a socket closed with unread input resets.
void Connection::linger() {
  phase_ = Phase::lingering;
  ending_ = true;
  buffer_.clear();
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  arm(draining_ ? 500 : 5000);
  read();
}

// A body may pause, but neither for long nor for ever again.
void Connection::arm_for_body() {
  const int64_t left_ms = body_deadline_ms_ - core_->options.now_ms();
  arm(std::clamp<int64_t>(left_ms, 0, core_->options.body_pause_ms));
}

void Connection::arm_for_silence() {
  const int64_t own_ms = exchange_ ? exchange_->silence_ms() : 0;
  arm(own_ms > 0 ? own_ms : core_->options.ping_interval_ms);
}

void Connection::arm(int64_t timeout_ms) {
  timer_.expires_after(std::chrono::milliseconds(timeout_ms));
  timer_.async_wait([weak = weak_from_this()](const error_code& error) {
    if (error) return;
    if (const auto self = weak.lock()) self->on_timeout();
  });
}

void Connection::on_timeout() {
  if (closed_ || timer_.expiry() > std::chrono::steady_clock::now()) return;
  switch (phase_) {
    case Phase::answering:
      if (writing_) {
        log_warn("{} {}: the client took no byte for {} s; its answer was cancelled",
                 exchange_ ? exchange_->request().id : "", peer_, kWriteTimeoutMs / 1000);
        return close();
      }
      if (exchange_) exchange_->beat();
      return arm_for_silence();
    case Phase::head:
    case Phase::body: {
      const Response response =
          core_->hooks.malformed(408, "the request did not arrive in time", reader_.head());
      return refuse_head([response](const std::shared_ptr<Exchange>& e) { e->respond(response); });
    }
    default:
      return close();
  }
}

}  // namespace strata::api
