// Fields of llama.cpp's server that programs written for it send along to OpenAI's paths.
#include "api/dialect/llamacpp_fields.h"

#include <array>

#include "api/dialect/dialect_common.h"
#include "api/dialect/openai/request_parts.h"
#include "api/dialect/samplers.h"
#include "api/dialect/timings.h"
#include "api/limits.h"

namespace strata::api::openai {
namespace {

// The order of the steps is ours, and each has a field of its own that switches it off.
bool asks_for_samplers(Fields& fields, std::string_view name) {
  SamplingOptions unused;
  std::vector<std::string> unknown;
  read_samplers(fields, unused, unknown);
  return fields.has(name);
}

// Reasoning is told apart from the answer, always: it is not left in the text, as two of the words
// have it.
bool asks_for_mixed_reasoning(Fields& fields, std::string_view name) {
  const std::string word = fields.text(name).value_or("");
  return word == "none" || word.ends_with("-legacy");
}

// What /completion knows how to do, and what is so always.
constexpr std::array kIdleHere{
    Idle{"samplers", asks_for_samplers},
    Idle{"return_progress", asks_when_true},
    Idle{"return_tokens", asks_when_true},
    Idle{"response_fields",
         [](Fields& fields, std::string_view) { return !read_response_fields(fields).empty(); }},
    Idle{"sse_ping_interval",
         [](Fields& fields, std::string_view) { return read_ping_interval(fields) != 0; }},
    Idle{"parse_tool_calls",
         [](Fields& fields, std::string_view name) { return fields.boolean(name) == false; }},
    Idle{"reasoning_format", asks_for_mixed_reasoning}};

}  // namespace

void read_llamacpp_fields(Fields& fields, ChatRequest& request) {
  if (const auto share = read_parameter_number(fields, "typ_p", "typical_p")) {
    if (request.sampling.typical_p && *request.sampling.typical_p != *share) {
      fields.fail("typ_p", "and typical_p differ", "send only one of them");
    }
    request.sampling.typical_p = *share;
  }
  request.computes_anew = !fields.boolean("cache_prompt").value_or(true);
  const int64_t budget = fields.integer("thinking_budget_tokens", -1, 1 << 30).value_or(-1);
  if (budget >= 0) request.reasoning.max_tokens = static_cast<int32_t>(budget);
  request.most_ms = read_time_limit(fields);
}

void read_n_probs(Fields& fields, std::string_view other, std::optional<int64_t> said,
                  ChatRequest& request) {
  const auto n = fields.integer("n_probs", 0, kMaxTopLogprobs);
  if (!n) return;
  if (said && *said != *n) {
    fields.fail("n_probs", fmt::format("and {} differ", other), "send only one of them");
  }
  if (*n > 0) request.n_logprobs = static_cast<int32_t>(*n);
}

void pass_over_llamacpp_fields(Fields& fields, std::vector<std::string>& ignored) {
  refuse_unbuilt(fields);
  refuse_post_sampling(fields, true);
  name_idle(fields, kIdleWork, ignored);
  name_idle(fields, kIdleHere, ignored);
}

}  // namespace strata::api::openai
