// Generated text in the shape of Hugging Face's text generation servers, whole or as events.
#include <algorithm>
#include <cmath>

#include "api/dialect/huggingface/huggingface.h"
#include "core/utf8.h"

namespace strata::api::huggingface {
namespace {

using inference::Event;
using inference::FinishReason;
using inference::GeneratedToken;

std::string_view finish_reason(FinishReason reason, const std::string& stop_string) {
  if (reason == FinishReason::length) return "length";
  return stop_string.empty() ? "eos_token" : "stop_sequence";
}

json::value number_or_null(float logprob) {
  return std::isfinite(logprob) ? json::value(logprob) : json::value(nullptr);
}

json::object token_json(int32_t id, const std::string& text, float logprob) {
  return {{"id", id}, {"text", text}, {"logprob", number_or_null(logprob)}, {"special", false}};
}

json::object token_json(const GeneratedToken& token) {
  return token_json(token.id, repair_utf8(token.bytes), token.logprob);
}

json::array top_json(const GeneratedToken& token) {
  json::array list;
  for (const auto& other : token.alternatives) {
    list.push_back(token_json(other.id, repair_utf8(other.bytes), other.logprob));
  }
  return list;
}

double total_logprob(const WholeChoice& choice) {
  double total = 0;
  for (const GeneratedToken& token : choice.tokens) total += double{token.logprob};
  return total;
}

class GenerateWriter final : public AnswerWriter {
 public:
  explicit GenerateWriter(const Parsed& parsed)
      : prompt_(parsed.return_full_text ? parsed.request.prompt : std::string()),
        details_(parsed.details),
        prefill_(parsed.prefill),
        in_array_(parsed.in_array),
        n_top_(parsed.top_n_tokens) {}

  std::string_view stream_type() const override { return "text/event-stream; charset=utf-8"; }

  void progress(const ChatEvent& event, std::string& out) override {
    (void)out;
    if (event.start) start_ = event.start;
  }

  // The last token is told with what ends the answer, so that one is always held back.
  void event(const ChatEvent& event, std::string& out) override {
    const Event& inner = event.event;
    if (inner.kind == Event::Kind::finished) return end(inner, out);
    text_ += inner.text;
    if (inner.tokens.empty()) {
      held_text_ += inner.text;
      return;
    }
    for (size_t i = 0; i < inner.tokens.size(); ++i) {
      if (held_) tell_held(out, {});
      held_ = inner.tokens[i];
      // Text comes in whole characters: of several tokens the last one has it.
      if (i + 1 == inner.tokens.size()) held_text_ += inner.text;
    }
  }

  void close(const Totals&, std::string&) override {}
  void error(const Error& error, std::string& out) override { append(out, error_json(error)); }
  void ping(std::string& out) override { out += ":\n\n"; }

  Response whole(const std::vector<WholeChoice>& choices, const Totals&) override {
    const auto best = std::ranges::max_element(choices, {}, total_logprob);
    json::object body{{"generated_text", prompt_ + best->text}};
    if (details_) {
      json::object details = details_json(*best);
      if (choices.size() > 1) {
        json::array others;
        for (const WholeChoice& choice : choices) {
          if (&choice == &*best) continue;
          json::object other = details_json(choice);
          other["generated_text"] = prompt_ + choice.text;
          others.push_back(std::move(other));
        }
        details["best_of_sequences"] = std::move(others);
      }
      body["details"] = std::move(details);
    }
    return in_array_ ? json_response(json::array{std::move(body)}) : json_response(body);
  }

 private:
  static void append(std::string& out, const json::object& body) {
    out += fmt::format("data:{}\n\n", to_json(body));
  }

  json::value seed() const {
    return start_ ? json::value(start_->sampler.seed) : json::value(nullptr);
  }

  void tell_held(std::string& out, const json::object& last) {
    json::object body{{"index", ++n_told_}, {"generated_text", nullptr}, {"details", nullptr}};
    if (held_) {
      body["token"] = token_json(held_->id, held_text_, held_->logprob);
    } else {  // an answer without a token: the shape wants one all the same
      json::object none = token_json(-1, held_text_, 0.0f);
      none["special"] = true;
      body["token"] = std::move(none);
    }
    if (n_top_ > 0 && held_) body["top_tokens"] = top_json(*held_);
    for (const auto& [key, value] : last) body[key] = value;
    append(out, body);
    held_.reset();
    held_text_.clear();
  }

  void end(const Event& event, std::string& out) {
    json::object details{{"finish_reason", finish_reason(event.reason, event.stop_string)},
                         {"generated_tokens", event.usage.completion_tokens},
                         {"input_length", event.usage.prompt_tokens},
                         {"seed", seed()}};
    tell_held(out, {{"generated_text", prompt_ + text_}, {"details", std::move(details)}});
  }

  json::object details_json(const WholeChoice& choice) const {
    json::array prefill, tokens, top;
    if (prefill_) {
      for (const GeneratedToken& token : choice.prompt_tokens) {
        prefill.push_back(json::object{{"id", token.id},
                                       {"text", repair_utf8(token.bytes)},
                                       {"logprob", number_or_null(token.logprob)}});
      }
    }
    for (const GeneratedToken& token : choice.tokens) {
      tokens.push_back(token_json(token));
      top.push_back(top_json(token));
    }
    json::object details{{"finish_reason", finish_reason(choice.reason, choice.stop_string)},
                         {"generated_tokens", choice.usage.completion_tokens},
                         {"seed", seed()},
                         {"prefill", std::move(prefill)},
                         {"tokens", std::move(tokens)}};
    if (n_top_ > 0) details["top_tokens"] = std::move(top);
    return details;
  }

  const std::string prompt_;  // "", or what stands before the text
  const bool details_, prefill_, in_array_;
  const int32_t n_top_;
  std::shared_ptr<const AnswerStart> start_;
  // Of a stream.
  std::string text_;
  std::optional<GeneratedToken> held_;
  std::string held_text_;
  int32_t n_told_ = 0;
};

}  // namespace

std::shared_ptr<AnswerWriter> generate_writer(const Parsed& parsed) {
  return std::make_shared<GenerateWriter>(parsed);
}

}  // namespace strata::api::huggingface
