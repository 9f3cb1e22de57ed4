#include "api/dialect/answer.h"

#include <mutex>

#include "api/dialect/answer_metrics.h"
#include "api/dialect/dialect_common.h"
#include "api/gateway/prompt_budget.h"
#include "api/not_yet.h"
#include "core/log.h"
#include "models/hub/name.h"

namespace strata::api {
namespace {

using inference::Event;
using inference::FinishReason;

// Shared by the sinks of all requests of one exchange.
class Run : public std::enable_shared_from_this<Run> {
 public:
  Run(std::shared_ptr<Exchange> exchange, const Services& services, const Dialect& dialect,
      bool stream, std::shared_ptr<AnswerWriter> writer, const std::vector<ChatRequest>& requests)
      : exchange_(std::move(exchange)),
        services_(services),
        dialect_(dialect),
        stream_(stream),
        writer_(std::move(writer)),
        metrics_(*services.metrics, requests.empty() ? "" : model_label(requests.back().model)) {
    for (const ChatRequest& request : requests) left_ += static_cast<size_t>(request.n);
    choices_.resize(left_);
    for (size_t i = 0; i < choices_.size(); ++i) choices_[i].index = static_cast<int32_t>(i);
  }

  void on_event(ChatEvent&& event, bool counts_prompt) {
    const std::lock_guard lock(mutex_);
    if (over_) return;
    if (!event.notice.empty() && !begun_) {
      exchange_->add_header("x-strata-notice", std::move(event.notice));
    }
    if (event.context_change) totals_.context_change = event.context_change;
    if (event.event.kind == Event::Kind::progress) return progress(event);
    const bool finished = event.event.kind == Event::Kind::finished;
    if (finished && event.overflow) return fail(*event.overflow);
    if (finished && event.event.reason == FinishReason::error) {
      return fail(event.event.error.value_or(Error(Code::internal, "the answer failed")));
    }
    if (finished && event.event.reason == FinishReason::cancelled) {
      return fail(Error(Code::unavailable,
                        "the answer was stopped: the server is going down or "
                        "the model was unloaded",
                        "try again"));
    }
    if (!finished) metrics_.token();
    if (finished) count(event, counts_prompt);
    std::string out;
    if (!stream_ || writer_->keeps()) collect(event);
    if (stream_) {
      begin(out);
      writer_->event(event, out);
    }
    if (finished && --left_ == 0) return settle(out);
    send(out);
  }

  void ping() {
    const std::lock_guard lock(mutex_);
    if (over_ || !stream_) return;
    std::string out;
    writer_->ping(out);
    if (out.empty()) return;
    std::string head;
    begin(head);
    send(head + out);
  }

 private:
  void progress(const ChatEvent& event) {
    std::string out;
    writer_->progress(event, out);
    if (out.empty() || !stream_) return;
    std::string head;
    begin(head);
    send(head + out);
  }

  void begin(std::string& out) {
    if (begun_) return;
    begun_ = true;
    exchange_->begin(200, std::string(writer_->stream_type()));
    writer_->open(out);
  }

  void send(const std::string& out) {
    if (stream_ && !out.empty() && !exchange_->write(out)) over_ = true;
  }

  // All choices have ended: what is to be kept is kept, then the end is written.
  void settle(std::string& out) {
    over_ = true;
    totals_.total_ns =
        totals_.load_ns + totals_.queue_ns + totals_.prompt_ns + totals_.completion_ns;
    if (!writer_->keeps()) return complete(out);
    try {
      services_.beside([run = shared_from_this(), out] { run->keep(out); });
    } catch (const Error& error) {
      fail(error);  // too much waits already
    }
  }

  void keep(std::string out) {
    const std::lock_guard lock(mutex_);
    try {
      writer_->keep(choices_, totals_);
    } catch (const Error& error) {
      return fail(error);
    }
    complete(out);
  }

  void complete(std::string& out) {
    if (!stream_) return exchange_->respond(writer_->whole(choices_, totals_));
    writer_->close(totals_, out);
    exchange_->write(out);
    exchange_->end();
  }

  void fail(const Error& error) {
    over_ = true;
    if (!begun_) return exchange_->respond(error_response(dialect_, error));
    std::string out;
    writer_->error(error, out);
    exchange_->write(out);
    exchange_->end();
  }

  void collect(const ChatEvent& event) {
    WholeChoice& choice = choices_.at(static_cast<size_t>(event.choice));
    choice.text += event.event.text;
    choice.reasoning += event.reasoning;
    for (const models::ToolCallPiece& piece : event.calls) add_call_piece(choice.calls, piece);
    for (const auto& token : event.event.tokens) choice.tokens.push_back(token);
    for (const auto& token : event.event.prompt_tokens) choice.prompt_tokens.push_back(token);
    choice.reason = event.event.reason;
    choice.stop_string = event.event.stop_string;
    choice.usage = event.event.usage;
    choice.reasoning_tokens = event.reasoning_tokens;
    choice.load_ns = event.load_ns;
  }

  void count(const ChatEvent& event, bool counts_prompt) {
    const auto& usage = event.event.usage;
    if (counts_prompt) {
      totals_.prompt_tokens += usage.prompt_tokens;
      totals_.cached_tokens += usage.cached_tokens;
      totals_.prompt_ns += usage.prompt_ns;
      totals_.queue_ns += usage.queue_ns;
      totals_.load_ns = std::max(totals_.load_ns, event.load_ns);
    }
    totals_.completion_tokens += usage.completion_tokens;
    totals_.reasoning_tokens += event.reasoning_tokens;
    totals_.accepted_prediction_tokens += usage.accepted_prediction_tokens;
    totals_.rejected_prediction_tokens += usage.rejected_prediction_tokens;
    totals_.completion_ns = std::max(totals_.completion_ns, usage.completion_ns);
    metrics_.finished(usage, counts_prompt);
  }

  const std::shared_ptr<Exchange> exchange_;
  const Services& services_;
  const Dialect& dialect_;
  const bool stream_;
  const std::shared_ptr<AnswerWriter> writer_;
  AnswerMetrics metrics_;
  std::mutex mutex_;
  std::vector<WholeChoice> choices_;
  Totals totals_;
  size_t left_ = 0;
  bool begun_ = false, over_ = false;
};

}  // namespace

void add_call_piece(std::vector<models::ToolCall>& calls, const models::ToolCallPiece& piece) {
  const auto index = static_cast<size_t>(piece.index);
  if (calls.size() <= index) calls.resize(index + 1);
  if (!piece.id.empty()) calls[index].id = piece.id;
  if (!piece.name.empty()) calls[index].name = piece.name;
  calls[index].arguments += piece.arguments;
}

void answer(const std::shared_ptr<Exchange>& exchange, const Services& services,
            const Dialect& dialect, std::vector<ChatRequest> requests, bool stream,
            std::shared_ptr<AnswerWriter> writer) {
  const int64_t ping_ms = writer->ping_ms();
  const auto run =
      std::make_shared<Run>(exchange, services, dialect, stream, std::move(writer), requests);
  auto answers = std::make_shared<std::vector<std::unique_ptr<Answer>>>();
  if (!requests.empty()) tell_ignored(*exchange, requests.front().ignored);
  exchange->on_silence(
      [weak = std::weak_ptr(run)] {
        if (const auto alive = weak.lock()) alive->ping();
      },
      ping_ms);
  int32_t first_choice = 0;
  for (ChatRequest& request : requests) {
    const int32_t n = request.n;
    log_end_user(*exchange, request.end_user);
    name_caller(request, exchange->request());
    answers->push_back(
        services.gateway->start(std::move(request), [run, first_choice](ChatEvent&& event) {
          const bool counts_prompt = event.choice == 0;
          event.choice += first_choice;
          run->on_event(std::move(event), counts_prompt);
        }));
    first_choice += n;
  }
  exchange->keep(std::move(answers));
}

void log_end_user(const Exchange& exchange, const std::string& name) {
  if (name.empty()) return;
  log_info("{} is for the end user {}", exchange.request().id, json_quote(name, true));
}

namespace {

// Of a body that was read already.
bool is_strict(const std::string& body) {
  const json::value document = read_body(body);
  const json::value* strict =
      document.is_object() ? document.get_object().if_contains(kStrict) : nullptr;
  return strict != nullptr && strict->is_bool() && strict->get_bool();
}

json::object& ours_of(json::object& answer) {
  return answer.emplace("strata", json::object{}).first->value().as_object();
}

}  // namespace

void put_context_change(const ContextChange* change, json::object& answer) {
  if (change != nullptr) ours_of(answer)["context"] = as_json(*change);
}

void put_notices(const std::vector<std::string>& notices, json::object& answer) {
  if (notices.empty()) return;
  json::array texts;
  for (const std::string& notice : notices) texts.push_back(json::string(notice));
  ours_of(answer)["notices"] = std::move(texts);
}

void tell_ignored(Exchange& exchange, const std::vector<std::string>& ignored) {
  if (ignored.empty()) return;
  if (is_strict(exchange.request().body)) {
    throw FieldError(
        ignored.front(),
        fmt::format("{} would have no effect here, and strict is true", ignored.front()),
        "remove the field, or strict");
  }
  std::string names;
  for (const std::string& each : ignored) names += (names.empty() ? "" : ", ") + each;
  exchange.add_header("x-strata-ignored", names);
}

Response error_response(const Dialect& dialect, const Error& error) {
  Response response = dialect.error(error);
  if (response.status == 200) response.status = http_status(error.code());
  if (error.code() == Code::unavailable) response.headers.add("retry-after", "1");
  // The makers' libraries take 409 and everything from 500 for what will pass, and ask again.
  const bool waits = dynamic_cast<const NotYet*>(&error) != nullptr;
  if (waits) response.status = kNotYetStatus;
  const bool stays = response.status == 409 || response.status == 501;
  if (stays && !waits) response.headers.add("x-should-retry", "false");
  if (error.code() == Code::unauthenticated) response.headers.add("www-authenticate", "Bearer");
  return response;
}

std::string model_label(std::string_view name) {
  try {
    return models::parse_model_name(name).full();
  } catch (const Error&) {
    return std::string(name);  // a backend of its own may take other names
  }
}

std::string full_text(const Error& error) {
  return error.hint().empty() ? error.message() : error.message() + "; " + error.hint();
}

}  // namespace strata::api
