#include <set>

#include "api/dialect/openai/openai.h"

namespace strata::api::openai {
namespace {

using inference::Event;

json::array byte_array(const std::string& bytes) {
  json::array array;
  for (const char c : bytes) array.push_back(static_cast<int64_t>(static_cast<unsigned char>(c)));
  return array;
}

json::object logprob_json(const std::string& bytes, float logprob) {
  return {
      {"token", bytes}, {"logprob", static_cast<double>(logprob)}, {"bytes", byte_array(bytes)}};
}

json::value logprobs_json(const std::vector<inference::GeneratedToken>& tokens, bool wanted) {
  if (!wanted) return nullptr;
  json::array content;
  for (const auto& token : tokens) {
    json::object entry = logprob_json(token.bytes, token.logprob);
    json::array top;
    for (const auto& other : token.alternatives) {
      top.push_back(logprob_json(other.bytes, other.logprob));
    }
    entry["top_logprobs"] = std::move(top);
    content.push_back(std::move(entry));
  }
  return json::object{{"content", std::move(content)}, {"refusal", nullptr}};
}

class ChatWriter final : public AnswerWriter {
 public:
  explicit ChatWriter(WriterInfo info) : info_(std::move(info)) {}

  std::string_view stream_type() const override { return "text/event-stream; charset=utf-8"; }

  void event(const ChatEvent& event, std::string& out) override {
    if (begun_.insert(event.choice).second) {
      json::object delta{{"role", "assistant"}, {"content", ""}};
      chunk(out, choice_json(event.choice, std::move(delta), nullptr, nullptr));
    }
    const auto& inner = event.event;
    if (inner.kind == Event::Kind::text) {
      if (inner.text.empty() && event.reasoning.empty() && inner.tokens.empty()) return;
      json::object delta;
      if (!event.reasoning.empty()) delta["reasoning_content"] = event.reasoning;
      delta["content"] = inner.text;
      chunk(out, choice_json(event.choice, std::move(delta),
                             logprobs_json(inner.tokens, info_.logprobs), nullptr));
    } else if (inner.kind == Event::Kind::finished) {
      chunk(out, choice_json(event.choice, {}, nullptr, finish_reason(inner.reason)));
    }
  }

  void close(const Totals& totals, std::string& out) override {
    if (info_.include_usage) {
      json::object last = head("chat.completion.chunk");
      last["choices"] = json::array{};
      last["usage"] = usage_json(totals);
      append_event(out, last);
    }
    out += "data: [DONE]\n\n";
  }

  void error(const Error& error, std::string& out) override {
    append_event(out, error_json(error));
  }

  void ping(std::string& out) override { out += ": still working\n\n"; }

  Response whole(const std::vector<WholeChoice>& choices, const Totals& totals) override {
    json::array list;
    for (const WholeChoice& choice : choices) {
      json::object message{{"role", "assistant"}, {"content", choice.text}, {"refusal", nullptr}};
      if (!choice.reasoning.empty()) message["reasoning_content"] = choice.reasoning;
      list.push_back(json::object{{"index", choice.index},
                                  {"message", std::move(message)},
                                  {"logprobs", logprobs_json(choice.tokens, info_.logprobs)},
                                  {"finish_reason", finish_reason(choice.reason)}});
    }
    json::object body = head("chat.completion");
    body["choices"] = std::move(list);
    body["usage"] = usage_json(totals);
    Response response;
    response.body = to_json(body);
    return response;
  }

 private:
  json::object head(std::string_view object) const {
    return {{"id", info_.id},
            {"object", object},
            {"created", info_.created},
            {"model", info_.model},
            {"system_fingerprint", nullptr}};
  }

  static json::object choice_json(int32_t index, json::object delta, json::value logprobs,
                                  json::value reason) {
    return {{"index", index},
            {"delta", std::move(delta)},
            {"logprobs", std::move(logprobs)},
            {"finish_reason", std::move(reason)}};
  }

  void chunk(std::string& out, json::object choice) const {
    json::object body = head("chat.completion.chunk");
    body["choices"] = json::array{std::move(choice)};
    if (info_.include_usage) body["usage"] = nullptr;
    append_event(out, body);
  }

  const WriterInfo info_;
  std::set<int32_t> begun_;
};

}  // namespace

std::shared_ptr<AnswerWriter> chat_writer(WriterInfo info) {
  return std::make_shared<ChatWriter>(std::move(info));
}

json::string finish_reason(inference::FinishReason reason) {
  return reason == inference::FinishReason::length ? "length" : "stop";
}

json::object usage_json(const Totals& totals) {
  return {{"prompt_tokens", totals.prompt_tokens},
          {"completion_tokens", totals.completion_tokens},
          {"total_tokens", totals.prompt_tokens + totals.completion_tokens},
          {"prompt_tokens_details", json::object{{"cached_tokens", totals.cached_tokens}}}};
}

void append_event(std::string& out, const json::value& value) {
  out += "data: ";
  out += to_json(value);
  out += "\n\n";
}

}  // namespace strata::api::openai
