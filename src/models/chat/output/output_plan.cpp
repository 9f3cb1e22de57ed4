#include "models/chat/output/output_plan.h"

#include <algorithm>

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

}  // namespace

std::shared_ptr<OutputPlan> plan_output(std::string_view template_source,
                                        const Tokenizer& tokenizer, std::string_view prompt,
                                        ToolSet tools) {
  auto plan = std::make_shared<OutputPlan>();
  OutputOptions& options = plan->options;
  options.think = find_think_tags(template_source, &tokenizer);
  options.state = think_state(prompt, options.think);
  const OutputFormat* format = find_output_format(template_source);
  if (format != nullptr && (!tools.empty() || format->reads_whole())) options.format = format;
  if (options.think.open.empty() && options.format == nullptr) return nullptr;
  options.tools = std::move(tools);
  plan->spelled = control_tokens(tokenizer, options);
  if (options.format != nullptr && options.format->reads_whole()) {
    plan->closing = tokenizer.encode_trusted(options.format->reasoning_end());
  } else if (!options.think.close.empty()) {
    plan->closing = tokenizer.encode_trusted("\n" + options.think.close + "\n\n");
  }
  return plan;
}

}  // namespace strata::models
