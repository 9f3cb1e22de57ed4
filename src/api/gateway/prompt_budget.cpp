#include "api/gateway/prompt_budget.h"

namespace strata::api {
namespace {

constexpr const char* kHint =
    "shorten it, start a new conversation, or give the model a larger context (num_ctx, "
    "OLLAMA_CONTEXT_LENGTH)";

}  // namespace

Error context_overflow(const PromptCounts& counts, int64_t limit) {
  return Error(
      Code::invalid_argument,
      fmt::format("the prompt has {} tokens and the context {}: system {}, history {}, "
                  "this message {}, limit {} (one is kept for the answer)",
                  counts.total(), limit, counts.system, counts.history, counts.message, limit),
      kHint);
}

Error context_overflow(int64_t prompt_tokens, int64_t limit) {
  return Error(Code::invalid_argument,
               fmt::format("the prompt has {} tokens and the context {}: system 0, history 0, "
                           "this message {}, limit {} (one is kept for the answer)",
                           prompt_tokens, limit, prompt_tokens, limit),
               kHint);
}

}  // namespace strata::api
