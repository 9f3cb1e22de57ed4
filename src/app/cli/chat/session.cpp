#include "app/cli/chat/session.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include <unistd.h>

#include "app/cli/interrupt.h"
#include "app/cli/output.h"
#include "app/cli/word_wrap.h"
#include "core/error.h"
#include "core/os.h"

namespace strata::app {
namespace {

// Hands events from a backend's thread to the thread of the terminal.
class EventQueue {
 public:
  void push(api::ChatEvent&& event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    ready_.notify_one();
  }
  // nullopt after a tenth of a second without an event, so that Ctrl-C is seen.
  std::optional<api::ChatEvent> pop() {
    std::unique_lock lock(mutex_);
    if (!ready_.wait_for(lock, std::chrono::milliseconds(100), [&] { return !events_.empty(); })) {
      return std::nullopt;
    }
    api::ChatEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<api::ChatEvent> events_;
};

api::ChatRequest request_of(const ChatSession& session, const std::string& prompt) {
  api::ChatRequest request;
  request.model = session.model;
  request.sampling = session.sampling;
  request.output = session.output;
  request.context = session.context;
  request.context_policy = session.context_policy;
  request.keep_alive_ms = session.keep_alive_ms;
  if (session.base_model) {
    request.raw = true;
    request.prompt = prompt;
    return request;
  }
  request.model_messages = session.model_messages;
  if (session.system) {
    models::Message system;
    system.role = "system";
    system.content = *session.system;
    request.conversation.messages.push_back(std::move(system));
  }
  if (session.keep_history) {
    request.conversation.messages.insert(request.conversation.messages.end(),
                                         session.messages.begin(), session.messages.end());
  }
  models::Message user;
  user.role = "user";
  user.content = prompt;
  request.conversation.messages.push_back(std::move(user));
  return request;
}

double per_second(int32_t count, int64_t ns) {
  return ns > 0 ? count * 1e9 / static_cast<double>(ns) : 0.0;
}

void print_speeds(const inference::Usage& usage) {
  complain(fmt::format("prompt:  {} tokens ({} from the cache), {:.2f} s, {:.2f} tokens/s",
                       usage.prompt_tokens, usage.cached_tokens,
                       static_cast<double>(usage.prompt_ns) / 1e9,
                       per_second(usage.prompt_tokens - usage.cached_tokens, usage.prompt_ns)));
  complain(fmt::format("answer:  {} tokens, {:.2f} s, {:.2f} tokens/s", usage.completion_tokens,
                       static_cast<double>(usage.completion_ns) / 1e9,
                       per_second(usage.completion_tokens, usage.completion_ns)));
}

// Runs the request to its end, prints the text as it comes; returns the answer.
std::string stream_answer(const api::ChatRequest& request, api::Backend& backend, bool word_wrap,
                          inference::Event& end) {
  const auto queue = std::make_shared<EventQueue>();
  const Interrupts interrupts;
  auto answer =
      backend.start(request, [queue](api::ChatEvent&& event) { queue->push(std::move(event)); });
  WordWrap wrap(word_wrap ? static_cast<size_t>(terminal_columns(STDOUT_FILENO)) : 0);
  std::string text;
  while (true) {
    if (interrupts.happened()) {
      answer.reset();
      end.reason = inference::FinishReason::cancelled;
      return text;
    }
    auto event = queue->pop();
    if (!event) continue;
    if (!event->notice.empty()) complain("note: " + event->notice);
    if (!event->event.text.empty()) {
      text += event->event.text;
      print(wrap.feed(event->event.text));
    }
    if (event->event.kind == inference::Event::Kind::finished) {
      end = std::move(event->event);
      return text;
    }
  }
}

// More context than the model has is not to be had; that is said once.
void cut_context(ChatSession& session) {
  if (session.model_context <= 0 || session.context.value_or(0) <= session.model_context) return;
  complain(fmt::format("note: {} has a context of {}, {} were asked for: {} it is", session.model,
                       session.model_context, *session.context, session.model_context));
  session.context = session.model_context;
}

// An answer ends by its own limit, or because the context has no place left.
void complain_about_length(const ChatSession& session, const inference::Usage& usage) {
  const int32_t most = session.sampling.max_tokens.value_or(session.model_max_tokens);
  if (most >= 0 && usage.completion_tokens >= most) {
    complain(fmt::format("note: the answer was ended by its length limit of {} tokens", most));
    return;
  }
  complain(fmt::format(
      "note: the context is full ({} tokens of prompt, {} of answer): the answer was ended",
      usage.prompt_tokens, usage.completion_tokens));
  complain(session.base_model || !session.keep_history
               ? "hint: shorten the prompt, or give a larger context: --context, STRATA_CONTEXT"
               : "hint: /clear forgets the conversation; /set parameter num_ctx, --context or "
                 "STRATA_CONTEXT give a larger context");
}

}  // namespace

void check_system(const ChatSession& session) {
  if (!session.base_model || session.system.value_or("").empty()) return;
  throw Error(
      Code::failed_precondition,
      fmt::format("{} is a base model: it has no place for a system message", session.model),
      "put that text in front of the prompt; /set system without a text takes it back");
}

inference::FinishReason ask(ChatSession& session, api::Backend& backend,
                            const std::string& prompt) {
  check_system(session);
  cut_context(session);
  inference::Event end;
  const bool wraps = session.word_wrap && stdout_is_terminal();
  const std::string answer = stream_answer(request_of(session, prompt), backend, wraps, end);
  if (!end.error || !answer.empty()) print("\n");
  if (end.error) throw *end.error;
  if (end.reason == inference::FinishReason::length) complain_about_length(session, end.usage);
  const bool cancelled = end.reason == inference::FinishReason::cancelled;
  if (cancelled) complain("note: the answer was stopped");
  if (session.verbose && !cancelled) print_speeds(end.usage);
  if (session.base_model || !session.keep_history) return end.reason;
  models::Message user;
  user.role = "user";
  user.content = prompt;
  models::Message assistant;
  assistant.role = "assistant";
  assistant.content = answer;
  session.messages.push_back(std::move(user));
  session.messages.push_back(std::move(assistant));
  return end.reason;
}

}  // namespace strata::app
