#include <set>

#include "api/dialect/openai/sse_writer.h"
#include "api/dialect/token_json.h"

namespace strata::api::openai {
namespace {

using inference::Event;

json::value logprobs_json(const std::vector<inference::GeneratedToken>& tokens, bool wanted) {
  if (!wanted) return nullptr;
  return json::object{{"content", logprob_array(tokens)}, {"refusal", nullptr}};
}

class ChatWriter final : public SseWriter {
 public:
  explicit ChatWriter(WriterInfo info)
      : SseWriter(std::move(info), "chat.completion.chunk", "chat.completion") {}

  void event(const ChatEvent& event, std::string& out) override {
    if (begun_.insert(event.choice).second) {
      json::object delta{{"role", "assistant"}, {"content", ""}};
      chunk(out, delta_json(event.choice, std::move(delta), nullptr, nullptr));
    }
    const auto& inner = event.event;
    if (inner.kind == Event::Kind::text) {
      if (inner.text.empty() && event.reasoning.empty() && inner.tokens.empty()) return;
      json::object delta;
      if (!event.reasoning.empty()) delta["reasoning_content"] = event.reasoning;
      delta["content"] = inner.text;
      chunk(out, delta_json(event.choice, std::move(delta),
                            logprobs_json(inner.tokens, info_.logprobs), nullptr));
    } else if (inner.kind == Event::Kind::finished) {
      chunk(out, delta_json(event.choice, {}, nullptr, finish_reason(inner.reason)));
    }
  }

 private:
  json::object choice_json(const WholeChoice& choice) const override {
    json::object message{{"role", "assistant"}, {"content", choice.text}, {"refusal", nullptr}};
    if (!choice.reasoning.empty()) message["reasoning_content"] = choice.reasoning;
    return {{"index", choice.index},
            {"message", std::move(message)},
            {"logprobs", logprobs_json(choice.tokens, info_.logprobs)},
            {"finish_reason", finish_reason(choice.reason)}};
  }

  static json::object delta_json(int32_t index, json::object delta, json::value logprobs,
                                 json::value reason) {
    return {{"index", index},
            {"delta", std::move(delta)},
            {"logprobs", std::move(logprobs)},
            {"finish_reason", std::move(reason)}};
  }

  std::set<int32_t> begun_;
};

}  // namespace

std::shared_ptr<AnswerWriter> chat_writer(WriterInfo info) {
  return std::make_shared<ChatWriter>(std::move(info));
}

}  // namespace strata::api::openai
