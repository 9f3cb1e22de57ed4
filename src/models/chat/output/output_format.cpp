#include "models/chat/output/output_format.h"

#include "core/registry.h"
#include "models/chat/output/output_parser.h"

namespace strata::models {

std::vector<CallTrigger> OutputFormat::call_triggers(const ToolSet& tools) const {
  return (void)tools, std::vector<CallTrigger>{};
}

AnswerFront OutputFormat::front(ThinkState state, bool may_think) const {
  return (void)state, (void)may_think, AnswerFront{};
}

std::unique_ptr<OutputParser> OutputFormat::whole_parser(const OutputOptions& options) const {
  return (void)options, nullptr;
}

const OutputFormat* find_output_format(std::string_view template_source) {
  const OutputFormat* best = nullptr;
  int32_t best_fit = 0;
  for (const auto& format : Registry<OutputFormat>::all()) {
    const int32_t fit = format->fits(template_source);
    if (fit <= best_fit) continue;
    best = format.get();
    best_fit = fit;
  }
  return best;
}

}  // namespace strata::models
