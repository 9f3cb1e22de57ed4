// Answers of generateContent: whole, as server-sent events, or as a JSON array that grows.
#include <algorithm>
#include <map>
#include <numeric>

#include "api/dialect/gemini/gemini.h"
#include "core/utf8.h"

namespace strata::api::gemini {
namespace {

using inference::Event;
using inference::FinishReason;
using inference::GeneratedToken;

json::object token_json(int32_t id, const std::string& bytes, float logprob) {
  return {{"token", repair_utf8(bytes)},
          {"tokenId", id},
          {"logProbability", static_cast<double>(logprob)}};
}

json::object logprobs_json(const std::vector<GeneratedToken>& tokens) {
  json::array chosen, top;
  for (const GeneratedToken& token : tokens) {
    chosen.push_back(token_json(token.id, token.bytes, token.logprob));
    json::array candidates;
    for (const auto& other : token.alternatives) {
      candidates.push_back(token_json(other.id, other.bytes, other.logprob));
    }
    top.push_back(json::object{{"candidates", std::move(candidates)}});
  }
  return {{"chosenCandidates", std::move(chosen)}, {"topCandidates", std::move(top)}};
}

double mean_logprob(const std::vector<GeneratedToken>& tokens) {
  const double sum = std::accumulate(
      tokens.begin(), tokens.end(), 0.0,
      [](double total, const GeneratedToken& token) { return total + double{token.logprob}; });
  return tokens.empty() ? 0 : sum / static_cast<double>(tokens.size());
}

json::array token_details(int64_t n) {
  return {json::object{{"modality", "TEXT"}, {"tokenCount", n}}};
}

json::object usage_json(const Totals& totals) {
  json::object usage{{"promptTokenCount", totals.prompt_tokens},
                     {"candidatesTokenCount", totals.completion_tokens - totals.reasoning_tokens},
                     {"totalTokenCount", totals.prompt_tokens + totals.completion_tokens},
                     {"promptTokensDetails", token_details(totals.prompt_tokens)}};
  if (totals.reasoning_tokens > 0) usage["thoughtsTokenCount"] = totals.reasoning_tokens;
  if (totals.cached_tokens > 0) {
    usage["cachedContentTokenCount"] = totals.cached_tokens;
    usage["cacheTokensDetails"] = token_details(totals.cached_tokens);
  }
  return usage;
}

json::object text_part(std::string_view text) {
  return {{"text", text}};
}

json::object thought_part(std::string_view text) {
  return {{"text", text}, {"thought", true}};
}

// nullopt: max_tokens cut it, or the model wrote no object.
std::optional<json::object> call_part(const models::ToolCall& call) {
  json::value args = json::object{};
  try {
    if (!call.arguments.empty()) args = parse_json(call.arguments);
  } catch (const Error&) {
    return std::nullopt;
  }
  if (!args.is_object()) return std::nullopt;
  json::object inner{{"name", call.name}, {"args", std::move(args)}};
  if (!call.id.empty()) inner["id"] = call.id;
  return json::object{{"functionCall", std::move(inner)}};
}

class ContentWriter final : public AnswerWriter {
 public:
  explicit ContentWriter(WriterInfo info) : info_(std::move(info)) {}

  std::string_view stream_type() const override {
    return info_.events ? "text/event-stream" : "application/json";
  }

  void event(const ChatEvent& event, std::string& out) override {
    Choice& choice = choices_[event.choice];
    json::array parts;
    if (info_.shows_thoughts && !event.reasoning.empty()) {
      parts.push_back(thought_part(event.reasoning));
    }
    if (!event.event.text.empty()) parts.push_back(text_part(event.event.text));
    for (const models::ToolCallPiece& piece : event.calls) take(choice, piece, parts);
    if (event.event.kind == Event::Kind::finished) {
      choice.reason = event.event.reason;
      return;  // goes out with the figures, when all have ended
    }
    if (parts.empty() && event.event.tokens.empty()) return;
    json::object candidate = candidate_json(event.choice, std::move(parts));
    if (info_.logprobs && !event.event.tokens.empty()) {
      candidate["logprobsResult"] = logprobs_json(event.event.tokens);
    }
    json::object body = head();
    body["candidates"] = json::array{std::move(candidate)};
    append(body, out);
  }

  void close(const Totals& totals, std::string& out) override {
    json::array candidates;
    for (auto& [index, choice] : choices_) {
      json::array parts;
      end_call(choice, parts);
      if (parts.empty()) parts.push_back(text_part(""));
      json::object candidate = candidate_json(index, std::move(parts));
      candidate["finishReason"] = finish_reason(choice.reason, choice.malformed);
      candidates.push_back(std::move(candidate));
    }
    json::object body = head();
    body["candidates"] = std::move(candidates);
    body["usageMetadata"] = usage_json(totals);
    put_context_change(totals.context_change.get(), body);
    append(body, out);
    if (!info_.events) out += "]";
  }

  void error(const Error& error, std::string& out) override {
    append(error_json(error), out);
    if (!info_.events) out += "]";
  }

  void ping(std::string& out) override { out += info_.events ? ": still working\r\n\r\n" : "\n"; }

  Response whole(const std::vector<WholeChoice>& choices, const Totals& totals) override {
    json::array candidates;
    for (const WholeChoice& choice : choices) candidates.push_back(whole_json(choice));
    json::object body = head();
    body["candidates"] = std::move(candidates);
    body["usageMetadata"] = usage_json(totals);
    put_context_change(totals.context_change.get(), body);
    Response response;
    response.body = to_json(body);
    return response;
  }

 private:
  struct Choice {
    FinishReason reason = FinishReason::stop;
    std::optional<models::ToolCall> call;  // that is being written
    int32_t call_index = -1;
    bool malformed = false;
  };

  json::object head() const { return {{"modelVersion", info_.model}, {"responseId", info_.id}}; }

  static json::object candidate_json(int32_t index, json::array parts) {
    return {{"content", json::object{{"parts", std::move(parts)}, {"role", "model"}}},
            {"index", index}};
  }

  static json::string finish_reason(FinishReason reason, bool malformed) {
    if (reason == FinishReason::length) return "MAX_TOKENS";
    return malformed ? "MALFORMED_FUNCTION_CALL" : "STOP";
  }

  // A call goes out when it is whole: when the next one or something else begins.
  void take(Choice& choice, const models::ToolCallPiece& piece, json::array& parts) {
    if (choice.call_index != piece.index) {
      end_call(choice, parts);
      choice.call.emplace();
      choice.call_index = piece.index;
    }
    if (!choice.call) choice.call.emplace();
    if (!piece.id.empty()) choice.call->id = piece.id;
    if (!piece.name.empty()) choice.call->name = piece.name;
    choice.call->arguments += piece.arguments;
  }

  static void end_call(Choice& choice, json::array& parts) {
    if (!choice.call) return;
    if (auto part = call_part(*choice.call)) {
      parts.push_back(std::move(*part));
    } else {
      choice.malformed = true;
    }
    choice.call.reset();
  }

  json::object whole_json(const WholeChoice& choice) const {
    json::array parts;
    if (info_.shows_thoughts && !choice.reasoning.empty()) {
      parts.push_back(thought_part(choice.reasoning));
    }
    if (!choice.text.empty()) parts.push_back(text_part(choice.text));
    bool malformed = false;
    for (const models::ToolCall& call : choice.calls) {
      auto part = call_part(call);
      malformed = malformed || !part;
      if (part) parts.push_back(std::move(*part));
    }
    if (parts.empty()) parts.push_back(text_part(""));
    json::object candidate = candidate_json(choice.index, std::move(parts));
    candidate["finishReason"] = finish_reason(choice.reason, malformed);
    if (info_.logprobs) {
      candidate["logprobsResult"] = logprobs_json(choice.tokens);
      candidate["avgLogprobs"] = mean_logprob(choice.tokens);
    }
    return candidate;
  }

  void append(const json::object& body, std::string& out) {
    if (info_.events) {
      out += "data: " + to_json(body) + "\r\n\r\n";
      return;
    }
    out += begun_ ? ",\n" : "[";
    begun_ = true;
    out += to_json(body);
  }

  const WriterInfo info_;
  std::map<int32_t, Choice> choices_;
  bool begun_ = false;  // the array
};

}  // namespace

std::shared_ptr<AnswerWriter> content_writer(WriterInfo info) {
  return std::make_shared<ContentWriter>(std::move(info));
}

}  // namespace strata::api::gemini
