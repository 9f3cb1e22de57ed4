#include "app/cli/chat/session.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include "app/cli/command.h"
#include "app/cli/interrupt.h"
#include "app/cli/output.h"
#include "core/error.h"

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
  request.context = session.context;
  request.keep_alive_ms = session.keep_alive_ms;
  if (session.base_model) {
    request.raw = true;
    request.prompt = prompt;
    return request;
  }
  if (!session.system.empty()) {
    models::Message system;
    system.role = "system";
    system.content = session.system;
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
std::string stream_answer(const api::ChatRequest& request, api::Backend& backend,
                          inference::Event& end) {
  const auto queue = std::make_shared<EventQueue>();
  const Interrupts interrupts;
  auto answer =
      backend.start(request, [queue](api::ChatEvent&& event) { queue->push(std::move(event)); });
  std::string text;
  while (true) {
    if (interrupts.happened()) {
      answer.reset();
      end.reason = inference::FinishReason::cancelled;
      return text;
    }
    auto event = queue->pop();
    if (!event) continue;
    if (!event->event.text.empty()) {
      text += event->event.text;
      print(event->event.text);
    }
    if (event->event.kind == inference::Event::Kind::finished) {
      end = std::move(event->event);
      return text;
    }
  }
}

template <typename T>
T parse(std::string_view name, const std::string& text) {
  Arguments words;
  words.options_[std::string(name)] = {text};
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(*words.number(name));
  } else {
    const int64_t value = *words.integer(name);
    if (!std::in_range<T>(value)) {
      throw Error(Code::invalid_argument, fmt::format("{} is {}: out of range", name, text));
    }
    return static_cast<T>(value);
  }
}

// One row a parameter: how it is set, how it is shown.
struct Parameter {
  std::string_view name;
  void (*set)(ChatSession&, const std::string&);
  std::string (*show)(const ChatSession&);
};

template <typename T>
std::string shown(const std::optional<T>& value) {
  return value ? fmt::format("{}", *value) : std::string();
}

#define SAMPLING(member, type)                                                                     \
  Parameter {                                                                                      \
    #member,                                                                                       \
        [](ChatSession& s, const std::string& v) { s.sampling.member = parse<type>(#member, v); }, \
        [](const ChatSession& s) { return shown(s.sampling.member); }                              \
  }

const std::vector<Parameter>& parameters() {
  static const std::vector<Parameter> table{
      SAMPLING(temperature, float),
      SAMPLING(top_k, int32_t),
      SAMPLING(top_p, float),
      SAMPLING(min_p, float),
      SAMPLING(typical_p, float),
      SAMPLING(top_n_sigma, float),
      SAMPLING(xtc_probability, float),
      SAMPLING(xtc_threshold, float),
      SAMPLING(repeat_penalty, float),
      SAMPLING(repeat_last_n, int32_t),
      SAMPLING(presence_penalty, float),
      SAMPLING(frequency_penalty, float),
      SAMPLING(dry_multiplier, float),
      SAMPLING(dry_base, float),
      SAMPLING(dry_allowed_length, int32_t),
      SAMPLING(dry_penalty_last_n, int32_t),
      SAMPLING(mirostat, int32_t),
      SAMPLING(mirostat_tau, float),
      SAMPLING(mirostat_eta, float),
      SAMPLING(seed, uint64_t),
      Parameter{"num_predict",
                [](ChatSession& s, const std::string& v) {
                  s.sampling.max_tokens = parse<int32_t>("num_predict", v);
                },
                [](const ChatSession& s) { return shown(s.sampling.max_tokens); }},
      Parameter{
          "num_ctx",
          [](ChatSession& s, const std::string& v) { s.context = parse<int32_t>("num_ctx", v); },
          [](const ChatSession& s) { return shown(s.context); }},
  };
  return table;
}
#undef SAMPLING

}  // namespace

void ask(ChatSession& session, api::Backend& backend, const std::string& prompt) {
  inference::Event end;
  const std::string answer = stream_answer(request_of(session, prompt), backend, end);
  print("\n");
  if (end.error) throw *end.error;
  if (end.reason == inference::FinishReason::length) {
    complain("note: the answer was ended by its length limit");
  }
  if (session.verbose) print_speeds(end.usage);
  if (session.base_model || !session.keep_history) return;
  models::Message user;
  user.role = "user";
  user.content = prompt;
  models::Message assistant;
  assistant.role = "assistant";
  assistant.content = answer;
  session.messages.push_back(std::move(user));
  session.messages.push_back(std::move(assistant));
}

void set_parameter(ChatSession& session, std::string_view name,
                   const std::vector<std::string>& values) {
  if (values.empty()) {
    throw Error(Code::invalid_argument, fmt::format("{} needs a value", name));
  }
  if (name == "stop") {
    session.sampling.stop = values;
    return;
  }
  std::string known = "stop";
  for (const auto& parameter : parameters()) {
    if (parameter.name == name) {
      parameter.set(session, values[0]);
      return;
    }
    known += ", " + std::string(parameter.name);
  }
  throw Error(Code::invalid_argument, fmt::format("there is no parameter '{}'", name),
              "known: " + known);
}

std::vector<std::pair<std::string, std::string>> set_parameters(const ChatSession& session) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const auto& parameter : parameters()) {
    const std::string value = parameter.show(session);
    if (!value.empty()) rows.emplace_back(parameter.name, value);
  }
  for (const auto& stop : session.sampling.stop.value_or(std::vector<std::string>{})) {
    rows.emplace_back("stop", stop);
  }
  return rows;
}

}  // namespace strata::app
