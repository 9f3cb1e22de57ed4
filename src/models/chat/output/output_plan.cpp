#include "models/chat/output/output_plan.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/json.h"

namespace strata::models {
namespace {

void add_control_tokens(const Tokenizer& tokenizer, std::string_view marker,
                        std::vector<TokenId>& ids) {
  for (const TokenId id : tokenizer.encode_trusted(marker)) {
    if (tokenizer.kind(id) == TokenKind::control) ids.push_back(id);
  }
}

std::vector<TokenId> control_tokens(const Tokenizer& tokenizer, const OutputOptions& options) {
  std::vector<TokenId> ids;
  add_control_tokens(tokenizer, options.think.open, ids);
  add_control_tokens(tokenizer, options.think.close, ids);
  for (const std::string& marker : options.think.dropped) {
    add_control_tokens(tokenizer, marker, ids);
  }
  if (options.format != nullptr) {
    for (const std::string& marker : options.format->markers()) {
      add_control_tokens(tokenizer, marker, ids);
    }
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

// Empty where the vocabulary cannot write it.
std::vector<TokenId> closing_ids(const Tokenizer& tokenizer, const OutputOptions& options) {
  std::vector<std::string> ways;
  if (options.format != nullptr && options.format->reads_whole()) {
    ways = {options.format->reasoning_end()};
  } else if (!options.think.close.empty()) {
    ways = {"\n" + options.think.close + "\n\n", options.think.close};
  }
  for (const std::string& way : ways) {
    std::vector<TokenId> ids = tokenizer.encode_trusted(way);
    if (tokenizer.decode(ids, true) == way) return ids;
  }
  return {};
}

}  // namespace

std::shared_ptr<OutputPlan> plan_output(std::string_view template_source,
                                        const Tokenizer& tokenizer, std::string_view prompt,
                                        ToolSet tools, const OutputFormat* format) {
  auto plan = std::make_shared<OutputPlan>();
  OutputOptions& options = plan->options;
  options.think = find_think_tags(template_source, &tokenizer);
  options.state = think_state(prompt, options.think);
  if (format == nullptr) format = find_output_format(template_source);
  if (format != nullptr && (!tools.empty() || format->reads_whole())) options.format = format;
  if (options.think.open.empty() && options.format == nullptr) return nullptr;
  options.tools = std::move(tools);
  plan->spelled = control_tokens(tokenizer, options);
  plan->closing = closing_ids(tokenizer, options);
  return plan;
}

AnswerFront answer_front(const OutputOptions& options, bool may_think) {
  if (options.format != nullptr && options.format->reads_whole()) {
    return options.format->front(options.state, may_think);
  }
  // White space behind the reasoning falls (output_parser.cpp).
  constexpr std::string_view kBlanks = "/[ \\n]{0,4}/";
  const ThinkTags& think = options.think;
  AnswerFront front;
  if (options.state == ThinkState::open) {
    front.any = fmt::format("start: %reasoning {}", kBlanks);
  } else if (options.state == ThinkState::may_begin && may_think && !think.open.empty()) {
    front.any = fmt::format("start: (%mark {} %reasoning {})?", json_quote(think.open), kBlanks);
  }
  for (const std::string& mark : think.dropped) {
    front.text += (front.text.empty() ? "start: (" : " | ") + ("%mark " + json_quote(mark));
  }
  // Of the marks around an answer there are two before it at most.
  if (!front.text.empty()) front.text += ")~0..2";
  return front;
}

}  // namespace strata::models
