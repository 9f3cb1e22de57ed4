#include "api/gateway/remote_answer.h"

#include <algorithm>

#include "core/error.h"

namespace strata::api {
namespace {

using OutputKind = inference::OutputRule::Kind;

constexpr uint64_t kStallTimeoutMs =
    600'000;  // a long prompt on a slow machine is silent for a while
constexpr uint64_t kMaxAnswerBytes = 1u << 30;

template <typename T>
void put(json::object& options, std::string_view name, const std::optional<T>& value) {
  if (value) options[name] = json::value_from(*value);
}

json::object options_of(const SamplingOptions& s) {
  json::object o;
  put(o, "temperature", s.temperature);
  put(o, "top_k", s.top_k);
  put(o, "top_p", s.top_p);
  put(o, "min_p", s.min_p);
  put(o, "typical_p", s.typical_p);
  put(o, "top_n_sigma", s.top_n_sigma);
  put(o, "xtc_probability", s.xtc_probability);
  put(o, "xtc_threshold", s.xtc_threshold);
  put(o, "repeat_last_n", s.repeat_last_n);
  put(o, "repeat_penalty", s.repeat_penalty);
  put(o, "presence_penalty", s.presence_penalty);
  put(o, "frequency_penalty", s.frequency_penalty);
  put(o, "dry_multiplier", s.dry_multiplier);
  put(o, "dry_base", s.dry_base);
  put(o, "dry_allowed_length", s.dry_allowed_length);
  put(o, "dry_penalty_last_n", s.dry_penalty_last_n);
  put(o, "dry_sequence_breakers", s.dry_sequence_breakers);
  put(o, "mirostat", s.mirostat);
  put(o, "mirostat_tau", s.mirostat_tau);
  put(o, "mirostat_eta", s.mirostat_eta);
  if (s.seed) o["seed"] = static_cast<int64_t>(*s.seed);  // the wire's numbers have a sign
  put(o, "num_predict", s.max_tokens);
  put(o, "stop", s.stop);
  return o;
}

json::object body_of(const ChatRequest& request) {
  json::object body{{"model", request.model}, {"stream", true}};
  json::object options = options_of(request.sampling);
  put(options, "num_ctx", request.context);
  if (request.context_policy) options["context_policy"] = name(*request.context_policy);
  body["options"] = std::move(options);
  if (request.keep_alive_ms) {
    body["keep_alive"] = *request.keep_alive_ms < 0
                             ? json::value(-1)
                             : json::value(fmt::format("{}ms", *request.keep_alive_ms));
  }
  if (request.load_only) return body;  // a request without a question
  if (request.output.kind == OutputKind::json_object) body["format"] = "json";
  if (request.output.kind == OutputKind::json_schema) body["format"] = request.output.schema;
  if (request.raw) {
    body["prompt"] = request.prompt;
    body["raw"] = true;
    return body;
  }
  json::array messages;
  for (const auto& message : request.conversation.messages) {
    json::object one{{"role", message.role}, {"content", message.content}};
    if (!message.reasoning.empty()) one["thinking"] = message.reasoning;
    messages.push_back(std::move(one));
  }
  body["messages"] = std::move(messages);
  if (!request.model_messages) body["model_messages"] = false;
  return body;
}

bool is_carried(const inference::OutputRule& rule) {
  const bool is_json = rule.kind == OutputKind::json_object ||
                       (rule.kind == OutputKind::json_schema && rule.schema.is_object());
  return is_json || rule.kind == OutputKind::none;
}

// Nothing that was asked for may get lost on the way.
void check_carried(const ChatRequest& request) {
  const auto& conversation = request.conversation;
  const bool tools = !conversation.tools.empty() ||
                     std::ranges::any_of(conversation.messages, [](const models::Message& each) {
                       return !each.tool_calls.empty() || each.role == "tool";
                     });
  const std::pair<std::string_view, bool> uncarried[]{
      {"several choices", request.n != 1},
      {"tokens of the answer",
       request.n_logprobs >= 0 || request.prompt_logprobs || request.token_ids},
      {"token ids as a prompt", !request.prompt_ids.empty()},
      {"parts of a prompt", !request.prompt_front.empty() || !request.prompt_back.empty()},
      {"the end of a prompt alone", request.keep_last > 0},
      {"what an answer begins with", request.tell_start || request.prompt_only},
      {"logit biases", !request.sampling.logit_bias.empty()},
      {"going on behind end tokens", request.ignore_end_tokens},
      {"a limit of time", request.most_ms > 0},
      {"template variables", !conversation.variables.empty()},
      {"another template", !request.chat_template.empty()},
      {"documents", !conversation.documents.empty()},
      {"a suffix", !request.suffix.empty()},
      {"a prediction", !request.prediction.empty()},
      {"system text before the model's own", !request.system_front.empty()},
      {"going on with the last message", request.continue_last},
      {"a format that is no JSON", !is_carried(request.output)},
      {"a reasoning wish", request.reasoning.think || !request.reasoning.effort.empty() ||
                               request.reasoning.max_tokens},
      {"tools", tools}};
  for (const auto& [what, wanted] : uncarried) {
    if (wanted) {
      throw Error(Code::unimplemented, fmt::format("{} cannot be asked of a server yet", what),
                  "run the model in this process: --local");
    }
  }
}

Code code_of_status(int status) {
  switch (status) {
    case 400:
      return Code::invalid_argument;
    case 401:
      return Code::unauthenticated;
    case 403:
      return Code::permission_denied;
    case 404:
      return Code::not_found;
    case 409:
      return Code::failed_precondition;
    case 429:
      return Code::resource_exhausted;
    case 501:
      return Code::unimplemented;
    case 503:
      return Code::unavailable;
    default:
      return Code::internal;
  }
}

class RemoteAnswer : public Answer {
 public:
  explicit RemoteAnswer(std::shared_ptr<std::atomic<bool>> wanted) : wanted_(std::move(wanted)) {}
  ~RemoteAnswer() override { *wanted_ = false; }

 private:
  std::shared_ptr<std::atomic<bool>> wanted_;
};

// Reads one answer to its end, on the thread that calls run().
class AnswerReader {
 public:
  AnswerReader(ChatSink sink, std::shared_ptr<std::atomic<bool>> wanted)
      : sink_(std::move(sink)), wanted_(std::move(wanted)) {}

  void run(const std::string& base_url, const std::string& key, const ChatRequest& asked) {
    try {
      read(base_url, key, asked);
    } catch (const Error& error) {
      fail(error);
    } catch (const std::exception& error) {
      fail(Error(Code::internal, error.what()));
    }
  }

 private:
  void read(const std::string& base_url, const std::string& key, const ChatRequest& asked) {
    HttpRequest request = request_to(
        base_url, key, "POST", asked.raw ? "/api/generate" : "/api/chat", to_json(body_of(asked)));
    request.stall_timeout_ms = kStallTimeoutMs;
    request.max_body_bytes = kMaxAnswerBytes;
    request.keep_going = [this] { return wanted_->load(); };
    http_stream(
        request, policy_for_server(base_url), [this](const HttpHead& head) { take_head(head); },
        [this](std::span<const std::byte> bytes) {
          held_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
          if (status_ == 200) {
            take_lines(held_, [this](const json::object& line) { take_line(line); });
          }
        });
    if (status_ != 200) {
      fail(refusal_of(status_, held_));
    } else if (!finished_) {
      fail(Error(Code::unavailable, "the server ended the answer in the middle"));
    }
  }

  void take_head(const HttpHead& head) {
    status_ = head.status;
    const auto notice = head.header("x-strata-notice");
    if (status_ != 200 || !notice || notice->empty()) return;
    ChatEvent event;
    event.event.kind = inference::Event::Kind::progress;
    event.notice = *notice;
    sink_(std::move(event));
  }

  void take_line(const json::object& line) {
    if (line.contains("error")) {
      fail(Error(Code::internal, text_of(line, "error")));
      return;
    }
    ChatEvent event;
    event.event.kind = inference::Event::Kind::text;
    event.event.text = text_of(line, "response");
    event.reasoning = text_of(line, "thinking");
    if (const auto* message = line.if_contains("message");
        message != nullptr && message->is_object()) {
      event.event.text = text_of(message->get_object(), "content");
      event.reasoning = text_of(message->get_object(), "thinking");
    }
    if (!(event.event.text.empty() && event.reasoning.empty())) sink_(std::move(event));
    const auto* done = line.if_contains("done");
    if (done == nullptr || !done->is_bool() || !done->get_bool()) return;
    inference::Event end;
    end.kind = inference::Event::Kind::finished;
    end.reason = text_of(line, "done_reason") == "length" ? inference::FinishReason::length
                                                          : inference::FinishReason::stop;
    end.usage.prompt_tokens = static_cast<int32_t>(integer_of(line, "prompt_eval_count"));
    if (const auto* ours = line.if_contains("strata"); ours != nullptr && ours->is_object()) {
      end.usage.cached_tokens =
          static_cast<int32_t>(integer_of(ours->get_object(), "cached_tokens"));
    }
    end.usage.completion_tokens = static_cast<int32_t>(integer_of(line, "eval_count"));
    end.usage.prompt_ns = integer_of(line, "prompt_eval_duration");
    end.usage.completion_ns = integer_of(line, "eval_duration");
    load_ns_ = integer_of(line, "load_duration");
    finish(std::move(end));
  }

  void fail(const Error& error) {
    inference::Event end;
    end.kind = inference::Event::Kind::finished;
    end.reason = error.code() == Code::cancelled ? inference::FinishReason::cancelled
                                                 : inference::FinishReason::error;
    end.error = error;
    finish(std::move(end));
  }

  void finish(inference::Event end) {
    if (finished_) return;
    finished_ = true;
    sink_({.choice = 0, .event = std::move(end), .load_ns = load_ns_});
  }

  ChatSink sink_;
  const std::shared_ptr<std::atomic<bool>> wanted_;
  bool finished_ = false;
  int64_t load_ns_ = 0;
  int status_ = 0;
  std::string held_;
};

}  // namespace

RemoteAnswers::~RemoteAnswers() {
  for (const Work& work : works_) *work.wanted = false;
  for (Work& work : works_) work.thread.join();
}

std::unique_ptr<Answer> RemoteAnswers::start(const std::string& base_url, const std::string& key,
                                             ChatRequest request, ChatSink sink) {
  check_carried(request);
  const std::lock_guard lock(mutex_);
  for (auto it = works_.begin(); it != works_.end();) {
    if (!*it->ended) {
      ++it;
      continue;
    }
    it->thread.join();
    it = works_.erase(it);
  }
  Work work;
  work.thread = std::thread([base_url, key, asked = std::move(request), sink = std::move(sink),
                             wanted = work.wanted, ended = work.ended]() mutable {
    AnswerReader(std::move(sink), wanted).run(base_url, key, asked);
    *ended = true;
  });
  auto answer = std::make_unique<RemoteAnswer>(work.wanted);
  works_.push_back(std::move(work));
  return answer;
}

HttpRequest request_to(const std::string& base_url, const std::string& key, std::string method,
                       std::string_view path, std::string body) {
  HttpRequest request;
  request.method = std::move(method);
  request.url = base_url + std::string(path);
  request.body = std::move(body);
  request.headers = {{"Content-Type", "application/json"}};
  if (!key.empty()) request.secret_headers = {{"Authorization", "Bearer " + key}};
  return request;
}

NetPolicy policy_for_server(const std::string& url) {
  NetPolicy policy;
  policy.private_hosts.insert(parse_url(url).host);
  return policy;
}

int64_t integer_of(const json::object& line, std::string_view name) {
  const auto* value = line.if_contains(name);
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

Error refusal_of(int status, const std::string& body) {
  std::string message = fmt::format("the server answered {}", status);
  try {
    const std::string said = text_of(parse_json(body).as_object(), "error");
    if (!said.empty()) message = said;
  } catch (const std::exception&) {
    // The body is not ours to understand; the status says enough.
  }
  const Code code = code_of_status(status);
  return Error(code, message,
               code == Code::unauthenticated ? "set STRATA_API_KEY to a key of that server" : "");
}

}  // namespace strata::api
