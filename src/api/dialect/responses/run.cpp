#include "api/dialect/responses/run.h"

#include <algorithm>

#include "api/access/access.h"
#include "api/dialect/answer.h"
#include "core/log.h"

namespace strata::api::responses {
namespace {

using inference::Event;
using inference::FinishReason;
using Clock = std::chrono::steady_clock;

constexpr auto kStepPause = std::chrono::milliseconds(500);  // between two writes of one answer
constexpr std::string_view kEventStream = "text/event-stream; charset=utf-8";

// Ends the answer of a client that has gone.
struct Leash {
  std::shared_ptr<Run> run;
  ~Leash() { run->cancel(); }
};

std::string_view error_code(Code code) {
  if (code == Code::invalid_argument) return "invalid_prompt";
  return code == Code::resource_exhausted ? "rate_limit_exceeded" : "server_error";
}

std::string_view last_event(std::string_view status) {
  if (status == "completed") return "response.completed";
  return status == "failed" ? "response.failed" : "response.incomplete";
}

std::string event_text(const json::object& event) {
  return fmt::format("event: {}\ndata: {}\n\n", std::string_view(event.at("type").as_string()),
                     to_json(event));
}

OutputOptions output_options(const Ask& ask) {
  return {.logprobs = ask.logprobs, .sealed_reasoning = ask.sealed_reasoning};
}

}  // namespace

Run::Run(Runs& runs, const Services& services, const Dialect& dialect, Ask ask, std::string owner)
    : runs_(runs),
      services_(services),
      dialect_(dialect),
      ask_(std::move(ask)),
      owner_(std::move(owner)),
      id_(new_id("resp_")),
      created_s_(services.now_ms() / 1000),
      keeps_events_(ask_.background && ask_.stream),
      output_(output_options(ask_)),
      metrics_(*services.metrics, model_label(ask_.chat.model)),
      last_step_(Clock::now()),
      status_(ask_.background ? kQueued : kInProgress) {}

void Run::attach(const std::shared_ptr<Exchange>& exchange) {
  tell_ignored(*exchange, ask_.chat.ignored);
  {
    const std::lock_guard lock(mutex_);
    if (ask_.stream) {
      listeners_.push_back(exchange);
      exchange->on_silence([weak = weak_from_this()] {
        if (const auto run = weak.lock()) run->ping();
      });
    } else if (!ask_.background) {
      waiting_ = exchange;
    }
  }
  // Without the lock: where the client has gone already, the leash ends the run here.
  if (!ask_.background) exchange->keep(std::make_shared<Leash>(shared_from_this()));
}

void Run::start() {
  auto answer = services_.gateway->start(ask_.chat, [run = shared_from_this()](ChatEvent&& event) {
    run->on_event(std::move(event));
  });
  const std::lock_guard lock(mutex_);
  if (state_ == State::waiting || state_ == State::working) answer_ = std::move(answer);
  if (!ask_.background) return;
  std::vector<json::object> events;
  begin(events);
  tell(events);
}

// What is told before the first piece.
void Run::begin(std::vector<json::object>& events) {
  if (begun_) return;
  begun_ = true;
  events.push_back(output_.lifecycle("response.created", response_json(true)));
  if (status_ == kQueued) {
    events.push_back(output_.lifecycle("response.queued", response_json(true)));
  } else {
    events.push_back(output_.lifecycle("response.in_progress", response_json(true)));
  }
}

void Run::on_event(ChatEvent&& event) {
  const std::lock_guard lock(mutex_);
  if (state_ == State::ending || state_ == State::over) return;
  try {
    take(event);
  } catch (const Error& error) {
    end("failed", error);
  }
}

void Run::take(const ChatEvent& event) {
  if (event.context_change) context_change_ = event.context_change;
  if (!event.notice.empty()) notices_.push_back(event.notice);
  std::vector<json::object> events;
  const bool was_queued = status_ == kQueued;
  if (event.event.kind == Event::Kind::progress && !was_queued) {
    if (event.notice.empty() || begun_) return;
    if (waiting_) waiting_->add_header("x-strata-notice", event.notice);
    for (const auto& each : listeners_) each->add_header("x-strata-notice", event.notice);
    return;
  }
  if (was_queued) {
    begin(events);
    status_ = kInProgress;
    events.push_back(output_.lifecycle("response.in_progress", response_json(true)));
  }
  state_ = State::working;
  if (event.event.kind == Event::Kind::text) {
    metrics_.token();
    begin(events);
    output_.add(event, events);
    tell(events);
    schedule_step();
  } else if (event.event.kind == Event::Kind::finished) {
    tell(events);
    metrics_.finished(event.event.usage, true);
    usage_ = usage_json(event.event.usage, event.reasoning_tokens);
    finish(event);
  } else {
    tell(events);
  }
}

void Run::finish(const ChatEvent& event) {
  switch (event.event.reason) {
    case FinishReason::stop:
      return end("completed", std::nullopt);
    case FinishReason::length:
      incomplete_reason_ = "max_output_tokens";
      return end("incomplete", std::nullopt);
    case FinishReason::cancelled:
      return end("failed", Error(Code::unavailable,
                                 "the answer was stopped: the server is going down or the model "
                                 "was unloaded",
                                 "try again"));
    case FinishReason::error:
      return end("failed", event.event.error.value_or(Error(Code::internal, "the answer failed")));
  }
}

// What was open is ended and told; the last event follows once the history has it all.
void Run::end(std::string_view status, std::optional<Error> error) {
  std::vector<json::object> events;
  const bool told = begun_ || !error;
  if (told) {
    begin(events);
    if (status == "completed") output_.ensure_item(events);
    output_.close(status == "completed" ? "completed" : "incomplete", events);
    tell(events);
  }
  state_ = State::ending;
  status_ = status;
  error_ = std::move(error);
  if (status == "completed") completed_s_ = services_.now_ms() / 1000;
  try {
    runs_.writer_.run([run = shared_from_this()] { run->write_end(); });
  } catch (const Error&) {
    // The server stops: its runs are ended one by one.
  }
}

void Run::cancel() {
  std::unique_ptr<Answer> answer;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  if (state_ == State::ending || state_ == State::over) return;
  answer = std::move(answer_);
  end("cancelled", std::nullopt);
}

void Run::stop() {
  std::unique_ptr<Answer> answer;  // likewise
  const std::lock_guard lock(mutex_);
  if (state_ == State::ending || state_ == State::over) return;
  answer = std::move(answer_);
  end("failed", Error(Code::unavailable, "the server stopped before the answer was whole"));
}

void Run::drop() {
  std::vector<std::shared_ptr<Exchange>> listeners;  // likewise
  std::shared_ptr<Exchange> waiting;
  const std::lock_guard lock(mutex_);
  state_ = State::over;
  listeners.swap(listeners_);
  waiting.swap(waiting_);
}

void Run::tell(const std::vector<json::object>& events) {
  if (events.empty() || (listeners_.empty() && !keeps_events_)) return;
  for (const json::object& event : events) {
    std::string text = event_text(event);
    for (auto& listener : listeners_) {
      if (!listener->begun()) listener->begin(200, std::string(kEventStream));
      if (!listener->write(text)) listener = nullptr;
    }
    std::erase(listeners_, nullptr);
    if (keeps_events_) {
      events_.push_back({event.at("sequence_number").as_int64(), std::move(text)});
    }
  }
}

void Run::ping() {
  const std::lock_guard lock(mutex_);
  if (state_ == State::ending || state_ == State::over) return;
  std::vector<json::object> events;
  begin(events);
  tell(events);
  for (const auto& listener : listeners_) listener->write(": still working\n\n");
}

void Run::follow(const std::shared_ptr<Exchange>& exchange, int64_t after) {
  const std::lock_guard lock(mutex_);
  exchange->begin(200, std::string(kEventStream));
  for (const ResponseEvent& event : events_) {
    if (event.sequence <= after) continue;
    // A client that cannot take all at once comes again with the last number that it has.
    if (!exchange->write(event.text)) return;
  }
  if (state_ == State::over) return exchange->end();
  exchange->on_silence([weak = weak_from_this()] {
    if (const auto run = weak.lock()) run->ping();
  });
  listeners_.push_back(exchange);
}

void Run::schedule_step() {
  if (!ask_.store || step_scheduled_ || Clock::now() - last_step_ < kStepPause) return;
  step_scheduled_ = true;
  try {
    runs_.writer_.run([run = shared_from_this()] { run->write_step(); });
  } catch (const Error&) {
    // The server stops, which writes everything.
  }
}

// The rest of this file runs on the thread that writes.

void Run::write_step() {
  ResponseStep step;
  {
    const std::lock_guard lock(mutex_);
    step_scheduled_ = false;
    last_step_ = Clock::now();
    if (state_ != State::working) return;
    step.first_item = static_cast<int64_t>(output_.take_changed());
    step.items = output_.items(static_cast<size_t>(step.first_item));
    step.events = {events_.begin() + static_cast<ptrdiff_t>(events_written_), events_.end()};
    events_written_ = events_.size();
  }
  try {
    if (services_.history->responses.add(owner_, id_, step)) return;
    cancel();  // it was deleted
  } catch (const Error& error) {
    log_error("{}: a step of the answer is not kept: {}", id_, error.message());
    const std::lock_guard lock(mutex_);
    events_written_ -= step.events.size();
  }
}

void Run::write_end() {
  try {
    keep_end();
  } catch (const Error& error) {
    log_error("{}: the answer is not kept: {}", id_, error.message());
    fail_end(error);
  }
  announce_end();
}

// What is kept must not seem under way for ever.
void Run::fail_end(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    status_ = "failed";
    error_ = error;
    completed_s_ = 0;
    incomplete_reason_.clear();
    last_.reset();
  }
  try {
    keep_end();
  } catch (const Error& again) {
    log_error("{}: that it failed is not kept: {}", id_, again.message());
  }
}

void Run::keep_end() {
  if (!ask_.conversation.empty() && (status_ == "completed" || status_ == "incomplete")) {
    json::array items = ask_.input;
    for (json::value& item : output_.items()) items.push_back(std::move(item));
    services_.history->conversations.append(owner_, ask_.conversation, items);
  }
  if (!ask_.store) return;
  ResponseStep step;
  json::object data;
  {
    const std::lock_guard lock(mutex_);
    if (keeps_events_) {
      step.events = {events_.begin() + static_cast<ptrdiff_t>(events_written_), events_.end()};
      last_ = output_.lifecycle(last_event(status_), response_json(true));
      step.events.push_back({last_->at("sequence_number").as_int64(), event_text(*last_)});
    }
    step.items = output_.items();
    data = response_json(false);
  }
  services_.history->responses.finish(owner_, id_, status_, data, step);
}

void Run::announce_end() {
  std::unique_ptr<Answer> answer;  // these are destroyed without the lock
  std::vector<std::shared_ptr<Exchange>> listeners;
  std::shared_ptr<Exchange> waiting;
  runs_.remove(id_);
  const std::lock_guard lock(mutex_);
  answer = std::move(answer_);
  state_ = State::over;
  if (waiting_) respond_whole();
  if (begun_) {
    if (!last_) last_ = output_.lifecycle(last_event(status_), response_json(true));
    tell({*last_});
    for (const auto& each : listeners_) each->end();
  } else {
    for (const auto& each : listeners_) each->respond(error_response(dialect_, *error_));
  }
  listeners.swap(listeners_);
  waiting.swap(waiting_);
}

void Run::respond_whole() {
  if (error_) return waiting_->respond(error_response(dialect_, *error_));
  Response response;
  response.body = to_json(response_json(true));
  waiting_->respond(std::move(response));
}

json::object Run::snapshot() const {
  const std::lock_guard lock(mutex_);
  json::object now = response_json(true);
  // As long as its end is not kept it may still fail.
  if (state_ == State::ending && (status_ == "completed" || status_ == "incomplete")) {
    now["status"] = kInProgress;
    now["completed_at"] = now["incomplete_details"] = nullptr;
  }
  return now;
}

json::object Run::response_json(bool with_output) const {
  json::object object = resource(ask_, id_, created_s_);
  object["status"] = status_;
  if (completed_s_ != 0) object["completed_at"] = completed_s_;
  if (error_) {
    object["error"] = {{"code", error_code(error_->code())}, {"message", full_text(*error_)}};
  }
  if (!incomplete_reason_.empty()) object["incomplete_details"] = {{"reason", incomplete_reason_}};
  if (usage_) object["usage"] = *usage_;
  if (with_output) object["output"] = output_.items();
  put_context_change(context_change_.get(), object);
  put_notices(notices_, object);
  return object;
}

}  // namespace strata::api::responses
