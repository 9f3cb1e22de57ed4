#include "api/gateway/remote.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <ctime>
#include <thread>

#include "core/error.h"

namespace strata::api {
namespace {

constexpr uint64_t kProbeTimeoutMs = 400;
constexpr uint64_t kStallTimeoutMs =
    600'000;  // a long prompt on a slow machine is silent for a while
constexpr uint64_t kMaxAnswerBytes = 1u << 30;

NetPolicy policy_for(const std::string& url) {
  NetPolicy policy;
  policy.private_hosts.insert(parse_url(url).host);
  return policy;
}

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
  put(o, "mirostat", s.mirostat);
  put(o, "mirostat_tau", s.mirostat_tau);
  put(o, "mirostat_eta", s.mirostat_eta);
  put(o, "seed", s.seed);
  put(o, "num_predict", s.max_tokens);
  put(o, "stop", s.stop);
  return o;
}

json::object body_of(const ChatRequest& request) {
  json::object body{{"model", request.model}, {"stream", true}};
  json::object options = options_of(request.sampling);
  put(options, "num_ctx", request.context);
  body["options"] = std::move(options);
  if (request.keep_alive_ms) {
    body["keep_alive"] = *request.keep_alive_ms < 0
                             ? json::value(-1)
                             : json::value(fmt::format("{}ms", *request.keep_alive_ms));
  }
  if (request.raw) {
    body["prompt"] = request.prompt;
    body["raw"] = true;
    return body;
  }
  json::array messages;
  for (const auto& message : request.conversation.messages) {
    messages.emplace_back(json::object{{"role", message.role}, {"content", message.content}});
  }
  body["messages"] = std::move(messages);
  return body;
}

int64_t integer_of(const json::object& line, std::string_view name) {
  const auto* value = line.if_contains(name);
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

std::string text_of(const json::object& line, std::string_view name) {
  const auto* value = line.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
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
  RemoteAnswer(std::string base_url, std::string key, ChatRequest request, ChatSink sink)
      : sink_(std::move(sink)) {
    thread_ = std::thread([this, base_url, key, asked = std::move(request)] {
      try {
        read(base_url, key, asked);
      } catch (const Error& error) {
        fail(error);
      } catch (const std::exception& error) {
        fail(Error(Code::internal, error.what()));
      }
    });
  }

  ~RemoteAnswer() override {
    wanted_ = false;
    thread_.join();
  }

 private:
  void read(const std::string& base_url, const std::string& key, const ChatRequest& asked) {
    HttpRequest request;
    request.method = "POST";
    request.url = base_url + (asked.raw ? "/api/generate" : "/api/chat");
    request.headers = {{"Content-Type", "application/json"}};
    if (!key.empty()) request.secret_headers = {{"Authorization", "Bearer " + key}};
    request.body = to_json(body_of(asked));
    request.stall_timeout_ms = kStallTimeoutMs;
    request.max_body_bytes = kMaxAnswerBytes;
    request.keep_going = [this] { return wanted_.load(); };
    http_stream(
        request, policy_for(base_url), [this](const HttpHead& head) { status_ = head.status; },
        [this](std::span<const std::byte> bytes) {
          held_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
          if (status_ == 200) take_lines();
        });
    if (status_ != 200)
      fail_with_body();
    else if (!finished_)
      fail(Error(Code::unavailable, "the server ended the answer in the middle"));
  }

  void take_lines() {
    for (size_t end = held_.find('\n'); end != std::string::npos; end = held_.find('\n')) {
      const std::string line = held_.substr(0, end);
      held_.erase(0, end + 1);
      if (!line.empty()) take_line(parse_json(line).as_object());
    }
  }

  void take_line(const json::object& line) {
    if (line.contains("error")) {
      fail(Error(Code::internal, text_of(line, "error")));
      return;
    }
    ChatEvent event;
    event.event.kind = inference::Event::Kind::text;
    event.event.text = text_of(line, "response");
    if (const auto* message = line.if_contains("message");
        message != nullptr && message->is_object()) {
      event.event.text = text_of(message->get_object(), "content");
    }
    if (!event.event.text.empty()) sink_(std::move(event));
    const auto* done = line.if_contains("done");
    if (done == nullptr || !done->is_bool() || !done->get_bool()) return;
    inference::Event end;
    end.kind = inference::Event::Kind::finished;
    end.reason = text_of(line, "done_reason") == "length" ? inference::FinishReason::length
                                                          : inference::FinishReason::stop;
    end.usage.prompt_tokens = static_cast<int32_t>(integer_of(line, "prompt_eval_count"));
    end.usage.completion_tokens = static_cast<int32_t>(integer_of(line, "eval_count"));
    end.usage.prompt_ns = integer_of(line, "prompt_eval_duration");
    end.usage.completion_ns = integer_of(line, "eval_duration");
    finish(std::move(end));
  }

  void fail_with_body() {
    std::string message = fmt::format("the server answered {}", status_);
    try {
      message = text_of(parse_json(held_).as_object(), "error");
    } catch (const std::exception&) {
      // The body is not ours to understand; the status says enough.
    }
    fail(Error(code_of_status(status_), message));
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
    sink_({.choice = 0, .reasoning = {}, .tool_calls = {}, .event = std::move(end)});
  }

  ChatSink sink_;
  std::atomic<bool> wanted_{true};
  bool finished_ = false;  // the rest belongs to the thread
  int status_ = 0;
  std::string held_;
  std::thread thread_;
};

// A rfc 3339 time in UTC or with an offset as milliseconds since 1970; nullopt when it is none.
std::optional<int64_t> parse_time_ms(const std::string& text) {
  std::tm utc{};
  int used = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &utc.tm_year, &utc.tm_mon,
                  &utc.tm_mday, &utc.tm_hour, &utc.tm_min, &utc.tm_sec, &used) != 6) {
    return std::nullopt;
  }
  utc.tm_year -= 1900;
  utc.tm_mon -= 1;
  return static_cast<int64_t>(timegm(&utc)) * 1000;
}

class RemoteBackend : public Backend {
 public:
  RemoteBackend(std::string base_url, std::string key)
      : base_url_(std::move(base_url)), key_(std::move(key)) {}

  std::string_view name() const override { return "remote"; }
  bool serves(std::string_view) const override { return true; }
  std::unique_ptr<Answer> start(ChatRequest request, ChatSink sink) override {
    return std::make_unique<RemoteAnswer>(base_url_, key_, std::move(request), std::move(sink));
  }

  std::vector<ModelCard> models() const override {
    std::vector<ModelCard> cards;
    for (const auto& row : rows_of("/api/tags")) cards.push_back(card_of(row.as_object()));
    return cards;
  }

  std::vector<RunningModel> running() const override {
    std::vector<RunningModel> models;
    for (const auto& row : rows_of("/api/ps")) {
      const auto& object = row.as_object();
      RunningModel model;
      model.card = card_of(object);
      model.memory_bytes = integer_of(object, "size");
      model.context = static_cast<int32_t>(integer_of(object, "context_length"));
      model.idle_until_ms = parse_time_ms(text_of(object, "expires_at"));
      models.push_back(std::move(model));
    }
    return models;
  }

  bool unload(std::string_view model) override {
    const auto loaded = running();
    const auto is_it = [&](const RunningModel& m) {
      return m.card.name == model || m.card.name == std::string(model) + ":latest";
    };
    if (std::none_of(loaded.begin(), loaded.end(), is_it)) return false;
    call("POST", "/api/generate",
         to_json(json::object{{"model", model}, {"keep_alive", 0}, {"stream", false}}));
    return true;
  }

 private:
  json::value call(std::string method, std::string_view path, std::string body = {}) const {
    HttpRequest request;
    request.method = std::move(method);
    request.url = base_url_ + std::string(path);
    request.body = std::move(body);
    request.headers = {{"Content-Type", "application/json"}};
    if (!key_.empty()) request.secret_headers = {{"Authorization", "Bearer " + key_}};
    const auto response = http_request(request, policy_for(base_url_));
    if (response.head.status != 200) {
      throw Error(
          code_of_status(response.head.status),
          fmt::format("{} answered {}: {}", request.url, response.head.status, response.body));
    }
    return parse_json(response.body);
  }

  json::array rows_of(std::string_view path) const {
    return call("GET", path).as_object().at("models").as_array();
  }

  static ModelCard card_of(const json::object& row) {
    ModelCard card;
    card.name = text_of(row, "name");
    card.digest = text_of(row, "digest");
    card.size_bytes = integer_of(row, "size");
    return card;
  }

  std::string base_url_;
  std::string key_;
};

}  // namespace

std::optional<std::string> find_server(const std::string& host) {
  const std::string base = host.find("://") == std::string::npos ? "http://" + host : host;
  try {
    HttpRequest request;
    request.url = base + "/api/version";
    request.connect_timeout_ms = kProbeTimeoutMs;
    request.total_timeout_ms = kProbeTimeoutMs;
    request.max_body_bytes = 4096;
    const auto response = http_request(request, policy_for(base));
    const auto value = parse_json(response.body);
    if (value.is_object() && value.get_object().contains("strata")) return base;
  } catch (const Error&) {
    // Nobody is there, or nobody who speaks this: the caller goes on without.
  }
  return std::nullopt;
}

std::unique_ptr<Backend> make_remote_backend(std::string base_url, std::string key) {
  return std::make_unique<RemoteBackend>(std::move(base_url), std::move(key));
}

}  // namespace strata::api
