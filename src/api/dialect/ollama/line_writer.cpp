// Answers of /api/chat and /api/generate: a JSON object a line, the last one with the figures.
#include "api/dialect/dialect_common.h"
#include "api/dialect/ollama/ollama.h"
#include "api/dialect/token_json.h"

namespace strata::api::ollama {
namespace {

using inference::Event;
using inference::FinishReason;

class LineWriter final : public AnswerWriter {
 public:
  LineWriter(const Asked& asked, Clock now_ms)
      : model_(asked.request.model),
        chat_(asked.chat),
        load_only_(asked.request.load_only),
        logprobs_(asked.request.n_logprobs >= 0),
        now_ms_(std::move(now_ms)) {}

  std::string_view stream_type() const override { return "application/x-ndjson"; }

  void event(const ChatEvent& event, std::string& out) override {
    const Event& inner = event.event;
    if (inner.kind == Event::Kind::finished) {
      reason_ = inner.reason;
      return;
    }
    if (inner.text.empty() && event.reasoning.empty() && inner.tokens.empty()) return;
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
    return json_response(
        finished(object(choice.text, choice.reasoning, choice.tokens), choice.reason, totals));
  }

  json::object unloaded() const {
    json::object line = object({}, {}, {});
    line["done"] = true;
    line["done_reason"] = "unload";
    return line;
  }

 private:
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

  json::object finished(json::object line, FinishReason reason, const Totals& totals) const {
    line["done"] = true;
    line["done_reason"] = load_only_ ? "load" : reason == FinishReason::length ? "length" : "stop";
    line["total_duration"] = totals.total_ns;
    line["load_duration"] = totals.load_ns;
    if (load_only_) return line;
    line["prompt_eval_count"] = totals.prompt_tokens;
    line["prompt_eval_duration"] = totals.prompt_ns;
    line["eval_count"] = totals.completion_tokens;
    line["eval_duration"] = totals.completion_ns;
    // Ours: Ollama has no word for how much of prompt_eval_count cost no time.
    line["strata"] = json::object{{"cached_tokens", totals.cached_tokens}};
    return line;
  }

  const std::string model_;
  const bool chat_, load_only_, logprobs_;
  const Clock now_ms_;
  FinishReason reason_ = FinishReason::stop;
};

}  // namespace

std::shared_ptr<AnswerWriter> line_writer(const Asked& asked, Clock now_ms) {
  return std::make_shared<LineWriter>(asked, std::move(now_ms));
}

Response unloaded(const Asked& asked, const Clock& now_ms) {
  return json_response(LineWriter(asked, now_ms).unloaded());
}

}  // namespace strata::api::ollama
