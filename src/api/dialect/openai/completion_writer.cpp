#include <algorithm>
#include <functional>
#include <limits>
#include <map>

#include "api/dialect/openai/sse_writer.h"
#include "core/utf8.h"

namespace strata::api::openai {
namespace {

using inference::Event;
using inference::GeneratedToken;

// The four parallel arrays of a completion's log-probabilities; offsets count characters from the
// beginning of the text that is returned.
struct LogprobArrays {
  json::array tokens, token_logprobs, top_logprobs, text_offset;

  void add(const GeneratedToken& token, bool first_of_prompt, int64_t& offset) {
    tokens.push_back(json::string(token.bytes));
    text_offset.push_back(offset);
    offset += static_cast<int64_t>(n_code_points(token.bytes));
    if (first_of_prompt) {  // nothing stands before it that could predict it
      token_logprobs.push_back(nullptr);
      top_logprobs.push_back(nullptr);
      return;
    }
    token_logprobs.push_back(static_cast<double>(token.logprob));
    json::object top;
    for (const auto& other : token.alternatives) {
      // Of pieces that read the same the likeliest, which comes first.
      top.emplace(repair_utf8(other.bytes), static_cast<double>(other.logprob));
    }
    // The token itself is always told, beside so many others: programs look it up by its text.
    top[repair_utf8(token.bytes)] = static_cast<double>(token.logprob);
    top_logprobs.push_back(std::move(top));
  }

  json::object json() && {
    return {{"tokens", std::move(tokens)},
            {"token_logprobs", std::move(token_logprobs)},
            {"top_logprobs", std::move(top_logprobs)},
            {"text_offset", std::move(text_offset)}};
  }
};

// An answer without a token is the worst.
double mean_logprob(const WholeChoice& choice) {
  if (choice.tokens.empty()) return -std::numeric_limits<double>::infinity();
  double sum = 0;
  for (const GeneratedToken& token : choice.tokens) sum += static_cast<double>(token.logprob);
  return sum / static_cast<double>(choice.tokens.size());
}

class CompletionWriter final : public SseWriter {
 public:
  explicit CompletionWriter(WriterInfo info)
      : SseWriter(std::move(info), "text_completion", "text_completion") {}

  void event(const ChatEvent& event, std::string& out) override {
    const auto& inner = event.event;
    const bool first = !offsets_.contains(event.choice);
    int64_t& offset = offsets_[event.choice];
    std::string text = first ? echoed(event.choice, inner.prompt_tokens) : std::string();
    text += inner.text;
    json::value logprobs = nullptr;
    if (info_.logprobs && inner.kind == Event::Kind::text) {
      LogprobArrays arrays;
      add_tokens(arrays, inner.prompt_tokens, inner.tokens, offset);
      logprobs = std::move(arrays).json();
    }
    if (inner.kind == Event::Kind::text && (!text.empty() || !inner.tokens.empty())) {
      chunk(out, part_json(event.choice, text, std::move(logprobs), nullptr));
    } else if (inner.kind == Event::Kind::finished) {
      chunk(out, part_json(event.choice, text, nullptr, finish_reason(inner.reason)), &inner.usage);
    }
  }

  Response whole(const std::vector<WholeChoice>& choices, const Totals& totals) override {
    if (info_.n_kept == info_.n) return SseWriter::whole(choices, totals);
    return SseWriter::whole(likeliest(choices), totals);
  }

 private:
  // Of each prompt's choices those with the highest mean log-probability of a token.
  std::vector<WholeChoice> likeliest(const std::vector<WholeChoice>& choices) const {
    std::vector<WholeChoice> kept;
    for (size_t begin = 0; begin < choices.size(); begin += static_cast<size_t>(info_.n)) {
      const auto first = choices.begin() + static_cast<std::ptrdiff_t>(begin);
      std::vector<WholeChoice> ranked(first, first + info_.n);
      std::ranges::stable_sort(ranked, std::greater(), mean_logprob);
      ranked.resize(static_cast<size_t>(info_.n_kept));
      for (WholeChoice& choice : ranked) kept.push_back(std::move(choice));
    }
    return kept;
  }

  json::object choice_json(const WholeChoice& choice) const override {
    json::value logprobs = nullptr;
    if (info_.logprobs) {
      LogprobArrays arrays;
      int64_t offset = 0;
      add_tokens(arrays, choice.prompt_tokens, choice.tokens, offset);
      logprobs = std::move(arrays).json();
    }
    return part_json(choice.index, echoed(choice.index, choice.prompt_tokens) + choice.text,
                     std::move(logprobs), finish_reason(choice.reason));
  }

  // Without echo there are prompt tokens only where ids had to be turned into text.
  void add_tokens(LogprobArrays& arrays, const std::vector<GeneratedToken>& prompt,
                  const std::vector<GeneratedToken>& tokens, int64_t& offset) const {
    for (size_t i = 0; i < prompt.size(); ++i) arrays.add(prompt[i], i == 0, offset);
    for (const auto& token : tokens) arrays.add(token, false, offset);
  }

  std::string echoed(int32_t choice, const std::vector<GeneratedToken>& prompt) const {
    if (!info_.echo) return {};
    const std::string& given = info_.prompts.at(static_cast<size_t>(choice / info_.n));
    if (!given.empty()) return given;
    std::string text;
    for (const auto& token : prompt) text += token.bytes;
    return text;
  }

  static json::object part_json(int32_t index, const std::string& text, json::value logprobs,
                                json::value reason) {
    return {{"text", text},
            {"index", index},
            {"logprobs", std::move(logprobs)},
            {"finish_reason", std::move(reason)}};
  }

  std::map<int32_t, int64_t> offsets_;
};

}  // namespace

std::shared_ptr<AnswerWriter> completion_writer(WriterInfo info) {
  return std::make_shared<CompletionWriter>(std::move(info));
}

}  // namespace strata::api::openai
