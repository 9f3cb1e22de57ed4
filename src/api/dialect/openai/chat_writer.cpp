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

// An answer whose calls were written ended with them, whatever ended its text.
json::string reason_json(inference::FinishReason reason, bool called, bool function_form) {
  if (!called || reason != inference::FinishReason::stop) return finish_reason(reason);
  return function_form ? "function_call" : "tool_calls";
}

json::object call_json(const models::ToolCall& call) {
  return {{"id", call.id},
          {"type", "function"},
          {"function", json::object{{"name", call.name}, {"arguments", call.arguments}}}};
}

class ChatWriter final : public SseWriter {
 public:
  explicit ChatWriter(WriterInfo info)
      : SseWriter(std::move(info), "chat.completion.chunk", "chat.completion") {}

  void event(const ChatEvent& event, std::string& out) override {
    const auto& inner = event.event;
    const bool finished = inner.kind == Event::Kind::finished;
    if (begun_.insert(event.choice).second) {
      // Null where something else comes first: there may be no text at all.
      json::object delta{{"role", "assistant"}, {"content", nullptr}, {"refusal", nullptr}};
      if (finished || !inner.text.empty()) delta["content"] = "";
      chunk(out, delta_json(event.choice, std::move(delta), nullptr, nullptr));
    }
    json::object delta;
    if (!event.reasoning.empty()) delta["reasoning_content"] = event.reasoning;
    if (!inner.text.empty() || !inner.tokens.empty()) delta["content"] = inner.text;
    if (!event.calls.empty()) put_calls(event, delta);
    if (!delta.empty()) {
      chunk(out, delta_json(event.choice, std::move(delta),
                            logprobs_json(inner.tokens, info_.logprobs), nullptr));
    }
    if (finished) {
      const bool called = called_.contains(event.choice);
      chunk(out,
            delta_json(event.choice, {}, nullptr,
                       reason_json(inner.reason, called, info_.function_form)),
            &inner.usage);
    }
  }

 private:
  void put_calls(const ChatEvent& event, json::object& delta) {
    called_.insert(event.choice);
    json::array pieces;
    for (const models::ToolCallPiece& piece : event.calls) {
      json::object function;
      if (!piece.name.empty()) function["name"] = piece.name;
      function["arguments"] = piece.arguments;
      if (info_.function_form) {
        if (piece.index == 0) delta["function_call"] = std::move(function);
        continue;
      }
      json::object written{{"index", piece.index}};
      if (!piece.id.empty()) written["id"] = piece.id;
      if (!piece.name.empty()) written["type"] = "function";
      written["function"] = std::move(function);
      pieces.push_back(std::move(written));
    }
    if (!pieces.empty()) delta["tool_calls"] = std::move(pieces);
  }

  json::object choice_json(const WholeChoice& choice) const override {
    const bool called = !choice.calls.empty();
    json::object message{{"role", "assistant"}, {"content", choice.text}, {"refusal", nullptr}};
    if (called && choice.text.empty()) message["content"] = nullptr;
    if (!choice.reasoning.empty()) message["reasoning_content"] = choice.reasoning;
    if (called && info_.function_form) {
      message["function_call"] = call_json(choice.calls.front()).at("function");
    } else if (called) {
      json::array calls;
      for (const models::ToolCall& call : choice.calls) calls.push_back(call_json(call));
      message["tool_calls"] = std::move(calls);
    }
    return {{"index", choice.index},
            {"message", std::move(message)},
            {"logprobs", logprobs_json(choice.tokens, info_.logprobs)},
            {"finish_reason", reason_json(choice.reason, called, info_.function_form)}};
  }

  static json::object delta_json(int32_t index, json::object delta, json::value logprobs,
                                 json::value reason) {
    return {{"index", index},
            {"delta", std::move(delta)},
            {"logprobs", std::move(logprobs)},
            {"finish_reason", std::move(reason)}};
  }

  std::set<int32_t> begun_, called_;  // choices
};

}  // namespace

std::shared_ptr<AnswerWriter> chat_writer(WriterInfo info) {
  return std::make_shared<ChatWriter>(std::move(info));
}

}  // namespace strata::api::openai
