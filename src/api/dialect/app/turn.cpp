#include "api/dialect/app/turn.h"

#include "api/dialect/answer.h"
#include "api/gateway/scripted.h"
#include "api/not_yet.h"
#include "core/log.h"

namespace strata::api::app {
namespace {

using inference::Event;
using inference::FinishReason;
using Clock = std::chrono::steady_clock;

constexpr auto kStepPause = std::chrono::milliseconds(500);  // between two writes of one answer
// What comes within it is one piece: a window takes 30 of them a second for less than half of what
// 200 cost.
constexpr auto kTogether = std::chrono::milliseconds(30);
constexpr std::string_view kGreeter =
    R"({"models": [{"name": "greeter", "rules": [{"reply": "Hello! I am a script, not a model: )"
    R"(everything works, but nobody thinks yet. Get one under Models, and it answers here."}]}]})";

std::string label_of(const ThreadMessage& message) {
  const json::value* model = message.data.if_contains("model");
  return model && model->is_string() ? model_label(model->as_string()) : "greeter";
}

int64_t ms_since(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
}

json::object usage_json(const ChatEvent& event) {
  const auto& usage = event.event.usage;
  const double seconds = static_cast<double>(usage.completion_ns) / 1e9;
  json::object out{{"prompt_tokens", usage.prompt_tokens},
                   {"cached_tokens", usage.cached_tokens},
                   {"completion_tokens", usage.completion_tokens},
                   {"reasoning_tokens", event.reasoning_tokens}};
  if (seconds > 0) out["tokens_per_second"] = usage.completion_tokens / seconds;
  return out;
}

}  // namespace

Turn::Turn(Turns& turns, const Services& services, std::string owner, std::string thread,
           ThreadMessage message)
    : turns_(turns),
      services_(services),
      owner_(std::move(owner)),
      thread_(std::move(thread)),
      message_(std::move(message)),
      metrics_(*services.metrics, label_of(message_)),
      told_text_(message_.text.size()),
      told_reasoning_(message_.reasoning.size()) {}

void Turn::start(ChatRequest request) {
  const bool greets = request.model.empty();
  if (greets) request.model = "greeter";
  ChatSink sink = [turn = shared_from_this()](ChatEvent&& event) {
    turn->on_event(std::move(event));
  };
  auto answer = greets ? turns_.greeter_->start(std::move(request), std::move(sink))
                       : services_.gateway->start(std::move(request), std::move(sink));
  const std::lock_guard lock(mutex_);
  if (!over_) answer_ = std::move(answer);
}

void Turn::on_event(ChatEvent&& event) {
  const std::lock_guard lock(mutex_);
  if (!over_) take(event);
}

void Turn::take(const ChatEvent& event) {
  if (event.event.kind == Event::Kind::finished) return finish(event);
  if (!event.notice.empty()) message_.data["notice"] = event.notice;
  if (event.context_change) message_.data["context"] = as_json(*event.context_change);
  if (event.event.kind != Event::Kind::text) return;
  metrics_.token();
  if (!spoke_) {
    spoke_ = true;
    message_.data["first_token_ms"] = ms_since(begun_);
  }
  message_.text += event.event.text;
  message_.reasoning += event.reasoning;
  for (const auto& piece : event.calls) add_call_piece(calls_, piece);
  if (Clock::now() - told_ >= kTogether) {
    tell();
  } else {
    turns_.teller_.ask();
  }
  schedule_step();
}

void Turn::tell() {
  const std::string_view text = std::string_view(message_.text).substr(told_text_);
  const std::string_view reasoning = std::string_view(message_.reasoning).substr(told_reasoning_);
  if (text.empty() && reasoning.empty()) return;
  services_.history->feed.tell(owner_, "delta",
                               {{"conversation", thread_},
                                {"message", message_.id},
                                {"sequence", ++sequence_},
                                {"text", text},
                                {"reasoning", reasoning}});
  told_text_ = message_.text.size();
  told_reasoning_ = message_.reasoning.size();
  told_ = Clock::now();
}

void Turn::finish(const ChatEvent& event) {
  metrics_.finished(event.event.usage, true);
  message_.data["usage"] = usage_json(event);
  json::array calls;
  for (const auto& call : calls_) {
    calls.push_back({{"id", call.id}, {"name", call.name}, {"arguments", call.arguments}});
  }
  if (!calls.empty()) message_.data["calls"] = std::move(calls);
  if (event.event.error) message_.data["error"] = full_text(*event.event.error);
  const bool whole = event.event.reason == FinishReason::stop;
  if (event.event.reason == FinishReason::length) message_.data["cut_by"] = "length";
  end(whole ? kMessageDone : kMessageCut);
}

void Turn::end(std::string_view status) {
  tell();
  over_ = true;
  message_.status = status;
  try {
    turns_.writer_.run([turn = shared_from_this()] { turn->write(true); });
  } catch (const Error&) {
    // The server stops: its turns are kept one by one.
  }
}

void Turn::cut() {
  std::unique_ptr<Answer> answer;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  if (over_) return;
  answer = std::move(answer_);
  end(kMessageCut);
}

void Turn::schedule_step() {
  if (step_scheduled_ || Clock::now() - last_step_ < kStepPause) return;
  step_scheduled_ = true;
  try {
    turns_.writer_.run([turn = shared_from_this()] { turn->write(false); });
  } catch (const Error&) {
    // The server stops, which writes everything.
  }
}

// On the thread that writes.
void Turn::write(bool last) {
  ThreadMessage message;
  {
    const std::lock_guard lock(mutex_);
    step_scheduled_ = false;
    last_step_ = Clock::now();
    if (over_ != last) return;
    message = message_;
  }
  try {
    const int64_t now_ms = services_.now_ms();
    if (!services_.history->threads.update(owner_, thread_, message, now_ms) && !last) cut();
  } catch (const Error& error) {
    log_error("{}: a step of the answer is not kept: {}", message.id, error.message());
  }
  if (!last) return;
  std::unique_ptr<Answer> answer;  // destroyed without the lock
  {
    const std::lock_guard lock(mutex_);
    answer = std::move(answer_);
  }
  turns_.remove(message.id);
  services_.history->feed.tell(owner_, "message", message_json(thread_, message));
}

json::object Turn::snapshot() {
  const std::lock_guard lock(mutex_);
  tell();  // or its text would be told again, behind it
  json::object object = message_json(thread_, message_);
  object["sequence"] = sequence_;
  return object;
}

Turns::Turns(const Services& services)
    : services_(services),
      greeter_(make_scripted_backend(parse_script(kGreeter))),
      writer_("answers to keep", 1, 2 * kMaxTurns),
      teller_("telling of answers", kTogether, [this] { tell_all(); }) {}

Turns::~Turns() {
  writer_.stop();
  std::map<std::string, std::shared_ptr<Turn>> left;
  {
    const std::lock_guard lock(mutex_);
    left = turns_;
  }
  for (const auto& [id, turn] : left) {
    turn->cut();
    turn->write(true);
  }
}

void Turns::start(const std::string& owner, const std::string& thread, ThreadMessage message,
                  ChatRequest request) {
  const std::string id = message.id;
  const auto turn = std::make_shared<Turn>(*this, services_, owner, thread, std::move(message));
  {
    const std::lock_guard lock(mutex_);
    if (turns_.size() >= kMaxTurns) {
      throw Error(Code::unavailable, fmt::format("{} answers are under way already", kMaxTurns),
                  "try again in a moment");
    }
    if (!turns_.emplace(id, turn).second) {
      throw NotYet("this answer is under way already");
    }
  }
  try {
    turn->start(std::move(request));
  } catch (const Error& error) {
    const std::lock_guard lock(turn->mutex_);
    turn->message_.data["error"] = full_text(error);
    turn->end(kMessageCut);
  }
}

std::shared_ptr<Turn> Turns::find(const std::string& owner, const std::string& message) const {
  const std::lock_guard lock(mutex_);
  const auto at = turns_.find(message);
  return at != turns_.end() && at->second->owner() == owner ? at->second : nullptr;
}

void Turns::cut_thread(const std::string& owner, const std::string& thread) {
  std::vector<std::shared_ptr<Turn>> mine;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, turn] : turns_) {
      if (turn->owner() == owner && turn->thread() == thread) mine.push_back(turn);
    }
  }
  for (const auto& turn : mine) turn->cut();
}

void Turns::tell_all() {
  std::map<std::string, std::shared_ptr<Turn>> all;  // destroyed without the lock
  {
    const std::lock_guard lock(mutex_);
    all = turns_;
  }
  for (const auto& [id, turn] : all) {
    const std::lock_guard lock(turn->mutex_);
    turn->tell();
  }
}

void Turns::remove(const std::string& message) {
  std::shared_ptr<Turn> last;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  const auto at = turns_.find(message);
  if (at == turns_.end()) return;
  last = std::move(at->second);
  turns_.erase(at);
}

}  // namespace strata::api::app
