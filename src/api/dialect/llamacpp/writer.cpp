// Answers of /completion and /infill: one object, several in an array, or server-sent events in
// llama.cpp's own shape.
#include <algorithm>
#include <optional>
#include <utility>

#include "api/dialect/llamacpp/llamacpp.h"
#include "api/dialect/timings.h"
#include "api/limits.h"
#include "core/utf8.h"

namespace strata::api::llamacpp {
namespace {

using inference::Event;
using inference::FinishReason;

json::object token_json(int32_t id, const std::string& bytes, float logprob) {
  json::array all;
  for (const char c : bytes) all.push_back(static_cast<int64_t>(static_cast<unsigned char>(c)));
  return {
      {"id", id}, {"token", repair_utf8(bytes)}, {"bytes", std::move(all)}, {"logprob", logprob}};
}

json::array probabilities_json(const std::vector<inference::GeneratedToken>& tokens) {
  json::array list;
  for (const auto& token : tokens) {
    json::object entry = token_json(token.id, token.bytes, token.logprob);
    json::array top;
    for (const auto& other : token.alternatives) {
      top.push_back(token_json(other.id, other.bytes, other.logprob));
    }
    entry["top_logprobs"] = std::move(top);
    list.push_back(std::move(entry));
  }
  return list;
}

json::array ids_json(const std::vector<inference::GeneratedToken>& tokens) {
  json::array ids;
  for (const auto& token : tokens) ids.push_back(token.id);
  return ids;
}

std::string_view stop_type(FinishReason reason, const std::string& stop_string) {
  if (reason == FinishReason::length) return "limit";
  return stop_string.empty() ? "eos" : "word";
}

// "a/b" takes b of a to the top, under its whole name; what is not there is left out.
json::object only(const json::object& whole, const std::vector<std::string>& names) {
  json::object out;
  for (const std::string& name : names) {
    const json::object* at = &whole;
    std::string_view rest = name;
    for (size_t slash = rest.find('/'); at != nullptr && slash != std::string_view::npos;
         slash = rest.find('/')) {
      const json::value* inner = at->if_contains(rest.substr(0, slash));
      at = inner != nullptr ? inner->if_object() : nullptr;
      rest.remove_prefix(slash + 1);
    }
    const json::value* found = at != nullptr ? at->if_contains(rest) : nullptr;
    if (found != nullptr) out[name] = *found;
  }
  return out;
}

void append_event(std::string& out, const json::object& body) {
  out += fmt::format("data: {}\n\n", to_json(body));
}

class CompletionWriter final : public AnswerWriter {
 public:
  CompletionWriter(const Parsed& parsed, std::function<int64_t()> now_ms)
      : model_(parsed.requests.front().model),
        stream_(parsed.stream),
        return_tokens_(parsed.return_tokens),
        timings_per_token_(parsed.timings_per_token),
        return_progress_(parsed.return_progress),
        n_probs_(parsed.n_probs),
        ping_s_(parsed.ping_s),
        n_each_(static_cast<size_t>(parsed.requests.front().n)),
        response_fields_(parsed.response_fields),
        now_ms_(std::move(now_ms)),
        began_ms_(now_ms_()),
        states_(parsed.requests.size() * n_each_) {}

  std::string_view stream_type() const override { return "text/event-stream; charset=utf-8"; }

  void progress(const ChatEvent& event, std::string& out) override {
    // All choices of one prompt begin with it.
    const auto first = static_cast<size_t>(event.choice) / n_each_ * n_each_;
    if (event.start) {
      const int64_t now = now_ms_();
      for (size_t i = first; i < first + n_each_; ++i) {
        states_.at(i).start = event.start;
        states_.at(i).start_ms = now;
      }
      return;
    }
    const State& state = states_.at(first);
    note_prompt_read(event);
    if (!return_progress_ || !state.start || event.event.prompt_done <= 0) return;
    json::object body = piece(event, state);
    body["prompt_progress"] = json::object{{"total", state.start->prompt_ids.size()},
                                           {"cache", event.event.usage.cached_tokens},
                                           {"processed", event.event.prompt_done},
                                           {"time_ms", now_ms_() - began_ms_}};
    append_event(out, body);
  }

  void event(const ChatEvent& event, std::string& out) override {
    State& state = states_.at(static_cast<size_t>(event.choice));
    if (event.event.kind == Event::Kind::finished) {
      WholeChoice last;
      last.index = event.choice;
      last.reason = event.event.reason;
      last.stop_string = event.event.stop_string;
      last.usage = event.event.usage;
      return append_event(out, choice_json(last, state.has_new_line));
    }
    state.has_new_line = state.has_new_line || event.event.text.find('\n') != std::string::npos;
    if (event.event.text.empty() && event.event.tokens.empty()) return;
    if (!state.first_ms) state.first_ms = now_ms_();
    state.n_told += static_cast<int32_t>(event.event.tokens.size());
    json::object body = piece(event, state);
    if (n_probs_ > 0) body["completion_probabilities"] = probabilities_json(event.event.tokens);
    if (timings_per_token_) body["timings"] = timings_json(usage_so_far(event, state));
    append_event(out, body);
  }

  void close(const Totals&, std::string&) override {}

  void error(const Error& error, std::string& out) override {
    append_event(out, error_json(error));
  }
  void ping(std::string& out) override {
    if (ping_s_ >= 0) out += ": still working\n\n";
  }
  int64_t ping_ms() const override { return ping_s_ > 0 ? int64_t{ping_s_} * 1000 : 0; }

  Response whole(const std::vector<WholeChoice>& choices, const Totals&) override {
    if (choices.size() == 1) return json_response(whole_json(choices.front()));
    json::array all;
    for (const WholeChoice& choice : choices) all.push_back(whole_json(choice));
    return json_response(all);
  }

 private:
  struct State {
    std::shared_ptr<const AnswerStart> start;
    bool has_new_line = false;
    int32_t n_told = 0;  // tokens of a stream, so far
    int64_t start_ms = 0;
    std::optional<int64_t> first_ms;  // when the first token was made
  };

  // The first token is made when the prompt has been read. Its text may come much later, where a
  // stop string may still take it back.
  void note_prompt_read(const ChatEvent& event) {
    State& state = states_.at(static_cast<size_t>(event.choice));
    const bool read =
        state.start && event.event.prompt_done > 0 &&
        std::cmp_greater_equal(event.event.prompt_done, state.start->prompt_ids.size());
    if (read && !state.first_ms) state.first_ms = now_ms_();
  }

  // As the last event will tell it, by the clock: the engine's own measures come with the end. What
  // took less than the clock's millisecond has taken one.
  inference::Usage usage_so_far(const ChatEvent& event, const State& state) const {
    inference::Usage usage;
    usage.cached_tokens = event.event.usage.cached_tokens;
    const int64_t first_ms = state.first_ms.value_or(state.start_ms);
    if (state.start) {
      usage.prompt_tokens = static_cast<int32_t>(state.start->prompt_ids.size());
      usage.prompt_ns = (first_ms - state.start_ms) * 1'000'000;
    }
    usage.completion_tokens = state.n_told;
    usage.completion_ns = std::max<int64_t>(now_ms_() - first_ms, 1) * 1'000'000;
    return usage;
  }

  json::object piece(const ChatEvent& event, const State& state) const {
    return {{"index", event.choice},
            {"content", event.event.text},
            {"tokens", ids_json(event.event.tokens)},
            {"stop", false},
            {"id_slot", -1},
            {"tokens_predicted", state.n_told},
            {"tokens_evaluated", state.start ? state.start->prompt_ids.size() : 0}};
  }

  json::object whole_json(const WholeChoice& choice) const {
    return choice_json(choice, choice.text.find('\n') != std::string::npos);
  }

  json::object choice_json(const WholeChoice& choice, bool has_new_line) const {
    const State& state = states_.at(static_cast<size_t>(choice.index));
    const inference::Usage& usage = choice.usage;
    json::object body{{"index", choice.index},
                      {"content", choice.text},
                      {"tokens", return_tokens_ ? ids_json(choice.tokens) : json::array()},
                      {"id_slot", -1},  // an answer is bound to no place
                      {"stop", true},
                      {"model", model_},
                      {"tokens_predicted", usage.completion_tokens},
                      {"tokens_evaluated", usage.prompt_tokens},
                      {"has_new_line", has_new_line},
                      {"stop_type", stop_type(choice.reason, choice.stop_string)},
                      {"stopping_word", choice.stop_string},
                      {"tokens_cached", usage.cached_tokens},
                      {"timings", timings_json(usage)}};
    if (state.start) put_start(*state.start, choice, body);
    if (!stream_ && n_probs_ > 0) {
      body["completion_probabilities"] = probabilities_json(choice.tokens);
    }
    return response_fields_.empty() ? body : only(body, response_fields_);
  }

  void put_start(const AnswerStart& start, const WholeChoice& choice, json::object& body) const {
    json::object settings = settings_json({start.sampler, start.max_tokens, start.stop});
    settings["n_probs"] = n_probs_;
    settings["stream"] = stream_;
    settings["timings_per_token"] = timings_per_token_;
    settings["post_sampling_probs"] = false;
    settings["sse_ping_interval"] = ping_s_ != 0 ? ping_s_ : kPingIntervalMs / 1000;
    settings["n_ctx"] = start.context;
    settings["model"] = model_;
    body["generation_settings"] = std::move(settings);
    body["prompt"] = start.prompt;
    const int64_t used = int64_t{choice.usage.prompt_tokens} + choice.usage.completion_tokens;
    body["truncated"] = choice.reason == FinishReason::length && used >= start.context;
  }

  const std::string model_;
  const bool stream_, return_tokens_, timings_per_token_, return_progress_;
  const int32_t n_probs_, ping_s_;
  const size_t n_each_;  // choices of a prompt
  const std::vector<std::string> response_fields_;
  const std::function<int64_t()> now_ms_;
  const int64_t began_ms_;
  std::vector<State> states_;
};

}  // namespace

std::shared_ptr<AnswerWriter> completion_writer(const Parsed& parsed,
                                                std::function<int64_t()> now_ms) {
  return std::make_shared<CompletionWriter>(parsed, std::move(now_ms));
}

}  // namespace strata::api::llamacpp
