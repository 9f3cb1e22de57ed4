#include "api/gateway/prompt_budget.h"

namespace strata::api {
namespace {

constexpr const char* kHint =
    "shorten it, start a new conversation, let older messages be left out or summarised (the "
    "header "
    "x-strata-context-policy: truncate or summarise), or have the server give the model a larger "
    "context (--context, STRATA_CONTEXT)";

ContextOverflow overflow(std::string_view prompt_has, const PromptCounts& counts, int64_t limit) {
  const std::string asked =
      counts.answer < 0 ? "" : fmt::format(", {} are asked for", counts.answer);
  const std::string left_out =
      counts.left_out == 0
          ? ""
          : fmt::format("; {} older messages are left out already", counts.left_out);
  return ContextOverflow(
      counts.total(), limit,
      fmt::format("the prompt {} {} tokens and the context {}: system {}, history {}, "
                  "this message {}, template {}, limit {} (one is kept for the answer{})"
                  "{}",
                  prompt_has, counts.total(), limit, counts.system, counts.history, counts.message,
                  counts.template_words, limit, asked, left_out),
      kHint);
}

}  // namespace

ContextOverflow context_overflow(const PromptCounts& counts, int64_t limit) {
  return overflow("has", counts, limit);
}

ContextOverflow context_overflow_at_least(const PromptCounts& counts, int64_t bytes,
                                          int64_t limit) {
  return overflow(fmt::format("of {} bytes has at least", bytes), counts, limit);
}

}  // namespace strata::api
