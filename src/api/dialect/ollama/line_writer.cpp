// Answers of /api/chat and /api/generate: a JSON object a line, the last one with the figures.
#include "api/dialect/dialect_common.h"
#include "api/dialect/ollama/ollama.h"
#include "api/dialect/token_json.h"
#include "core/os.h"

namespace strata::api::ollama {
namespace {

using inference::Event;
using inference::FinishReason;

// The arguments as the object that they are in this interface; nullopt: they are none.
std::optional<json::object> arguments_of(const std::string& text) {
  try {
    json::value arguments = parse_json(text);
    if (arguments.is_object()) return std::move(arguments.as_object());
  } catch (const Error&) {
    // Cut in two, or a number in them is beyond all that there are.
  }
  return std::nullopt;
}

// nullopt where the answer was cut in the middle of its arguments. Others that are no object stand
// in one as their text: no call is lost.
std::optional<json::object> call_json(const models::ToolCall& call, size_t index,
                                      FinishReason reason) {
  const bool may_be_cut = reason == FinishReason::length;
  if (call.arguments.empty() && may_be_cut) return std::nullopt;
  auto arguments = arguments_of(call.arguments.empty() ? "{}" : call.arguments);
  if (!arguments && may_be_cut) return std::nullopt;
  if (!arguments) arguments = json::object{{"unreadable", call.arguments}};
  return json::object{
      {"id", call.id},
      {"function",
       json::object{{"index", index}, {"name", call.name}, {"arguments", std::move(*arguments)}}}};
}

struct Durations {
  int64_t total_ns = 0, load_ns = 0;
};

class LineWriter final : public AnswerWriter {
 public:
  LineWriter(const Asked& asked, Clock now_ms)
      : model_(asked.request.model),
        chat_(asked.chat),
        load_only_(asked.request.load_only),
        logprobs_(asked.logprobs),
        tells_context_(asked.context),
        now_ms_(std::move(now_ms)) {}

  std::string_view stream_type() const override { return "application/x-ndjson"; }

  void progress(const ChatEvent& event, std::string& out) override {
    (void)out;
    if (!event.start) return;
    for (const int32_t id : event.start->prompt_ids) context_.push_back(id);
  }

  void event(const ChatEvent& event, std::string& out) override {
    const Event& inner = event.event;
    const bool finished = inner.kind == Event::Kind::finished;
    for (const models::ToolCallPiece& piece : event.calls) add_call_piece(calls_, piece);
    if (finished) reason_ = inner.reason;
    // A call is a line of its own once all of it is there.
    const size_t n_whole = calls_.size() - (finished || calls_.empty() ? 0 : 1);
    for (; n_told_ < n_whole; ++n_told_) tell_call(n_told_, out);
    if (finished) return;
    add_context(inner.tokens);
    const bool silent = inner.tokens.empty() || !logprobs_;
    if (inner.text.empty() && event.reasoning.empty() && silent) return;
    json::object line = object(inner.text, event.reasoning, inner.tokens);
    line["done"] = false;
    append_line(out, line);
  }

  void close(const Totals& totals, std::string& out) override {
    append_line(out, finished(object({}, {}, {}), reason_, totals));
  }

  void error(const Error& error, std::string& out) override { append_line(out, error_json(error)); }

  Response whole(const std::vector<WholeChoice>& choices, const Totals& totals) override {
    const WholeChoice& choice = choices.front();
    json::object line = object(choice.text, choice.reasoning, choice.tokens);
    add_context(choice.tokens);
    json::array calls;
    for (size_t i = 0; i < choice.calls.size(); ++i) {
      if (auto call = call_json(choice.calls[i], i, choice.reason))
        calls.push_back(std::move(*call));
    }
    if (chat_ && !calls.empty()) line.at("message").as_object()["tool_calls"] = std::move(calls);
    return json_response(finished(std::move(line), choice.reason, totals));
  }

  json::object unloaded() const {
    json::object line = object({}, {}, {});
    line["done"] = true;
    line["done_reason"] = "unload";
    return line;
  }

 private:
  void add_context(const std::vector<inference::GeneratedToken>& tokens) {
    for (const auto& token : tokens) context_.push_back(token.id);
  }

  void tell_call(size_t index, std::string& out) const {
    auto call = call_json(calls_[index], index, reason_);
    if (!call || !chat_) return;
    json::object line = object({}, {}, {});
    line.at("message").as_object()["tool_calls"] = json::array{std::move(*call)};
    line["done"] = false;
    append_line(out, line);
  }

  json::object object(const std::string& text, const std::string& reasoning,
                      const std::vector<inference::GeneratedToken>& tokens) const {
    json::object line{{"model", model_}, {"created_at", rfc3339(now_ms_())}};
    if (chat_) {
      json::object message{{"role", "assistant"}, {"content", text}};
      if (!reasoning.empty()) message["thinking"] = reasoning;
      line["message"] = std::move(message);
    } else {
      line["response"] = text;
      if (!reasoning.empty()) line["thinking"] = reasoning;
    }
    if (logprobs_ && !tokens.empty()) line["logprobs"] = logprob_array(tokens);
    return line;
  }

  // As Ollama counts: until a model that was in memory was at hand took its time, too.
  Durations durations(const Totals& totals) const {
    const auto passed_ns = static_cast<int64_t>(monotonic_ns() - began_ns_);
    const int64_t work_ns = totals.total_ns - totals.load_ns;
    const int64_t load_ns =
        totals.load_ns > 0 ? totals.load_ns : std::max<int64_t>(passed_ns - work_ns, 1);
    return {.total_ns = std::max(passed_ns, load_ns + work_ns), .load_ns = load_ns};
  }

  json::object finished(json::object line, FinishReason reason, const Totals& totals) const {
    line["done"] = true;
    line["done_reason"] = load_only_ ? "load" : reason == FinishReason::length ? "length" : "stop";
    const Durations took = durations(totals);
    line["total_duration"] = took.total_ns;
    line["load_duration"] = took.load_ns;
    if (load_only_) return line;
    if (tells_context_) line["context"] = context_;
    line["prompt_eval_count"] = totals.prompt_tokens;
    line["prompt_eval_duration"] = totals.prompt_ns;
    line["eval_count"] = totals.completion_tokens;
    line["eval_duration"] = totals.completion_ns;
    // Ours: Ollama has no word for how much of prompt_eval_count cost no time.
    line["strata"] = json::object{{"cached_tokens", totals.cached_tokens}};
    put_context_change(totals.context_change.get(), line);
    return line;
  }

  const std::string model_;
  const bool chat_, load_only_, logprobs_, tells_context_;
  const Clock now_ms_;
  const uint64_t began_ns_ = monotonic_ns();
  FinishReason reason_ = FinishReason::stop;
  std::vector<models::ToolCall> calls_;  // of a stream, so far
  size_t n_told_ = 0;                    // of these, as lines
  json::array context_;                  // ids, so far
};

}  // namespace

std::shared_ptr<AnswerWriter> line_writer(const Asked& asked, Clock now_ms) {
  return std::make_shared<LineWriter>(asked, std::move(now_ms));
}

Response unloaded(const Asked& asked, const Clock& now_ms) {
  return json_response(LineWriter(asked, now_ms).unloaded());
}

}  // namespace strata::api::ollama
