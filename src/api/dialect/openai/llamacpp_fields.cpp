// Fields of llama.cpp's server that programs written for it send along to OpenAI's paths.
#include <algorithm>
#include <array>

#include "api/dialect/dialect_common.h"
#include "api/dialect/openai/request_parts.h"
#include "api/dialect/timings.h"
#include "api/limits.h"

namespace strata::api::openai {
namespace {

bool is_off(const json::value& value) {
  return value.is_bool() && !value.get_bool();
}

bool is_on(const json::value& value) {
  return value.is_bool() && value.get_bool();
}

bool is_minus_one(const json::value& value) {
  return value.is_number() && value.to_number<double>() == -1;
}

bool is_at_most_one(const json::value& value) {
  return value.is_number() && value.to_number<double>() <= 1;
}

bool is_zero(const json::value& value) {
  return value.is_number() && value.to_number<double>() == 0;
}

bool is_empty(const json::value& value) {
  return value.is_array() && value.get_array().empty();
}

// Reasoning is told apart from the answer, always: it is not left in the text, as two of the words
// have it.
bool is_told_apart(const json::value& value) {
  if (!value.is_string()) return false;
  const std::string_view word = value.get_string();
  return word != "none" && !word.ends_with("-legacy");
}

// What a field has to say for nothing to be different here.
struct Habit {
  std::string_view name;
  bool (*asks_nothing)(const json::value& value);
  bool may_ask = true;  // what it asks otherwise is named as ignored, else refused
};
constexpr std::array kHabits{
    Habit{"id_slot", is_minus_one},  // an answer is bound to no place
    Habit{"n_keep", is_minus_one},   // all of a prompt is kept whatever comes
    Habit{"samplers", [](const json::value&) { return false; }},  // their order is ours
    Habit{"min_keep", is_at_most_one},
    Habit{"return_progress", is_off},
    Habit{"return_tokens", is_off},
    Habit{"response_fields", is_empty},
    Habit{"backend_sampling", is_off},
    Habit{"parse_tool_calls", is_on},
    Habit{"reasoning_format", is_told_apart},
    Habit{"lora", is_empty, false},
    Habit{"dynatemp_range", is_zero, false},
    Habit{"post_sampling_probs", is_off, false}};

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
  fields.number("dynatemp_exponent", -1e30, 1e30);  // of a range that is zero
}

void read_n_probs(Fields& fields, ChatRequest& request) {
  const auto n = static_cast<int32_t>(fields.integer("n_probs", 0, kMaxTopLogprobs).value_or(0));
  if (n > 0) request.n_logprobs = std::max(request.n_logprobs, n);
}

void pass_over_llamacpp_fields(Fields& fields, bool strict, std::vector<std::string>& ignored) {
  for (const Habit& habit : kHabits) {
    const json::value* value = fields.get(habit.name);
    if (!value || habit.asks_nothing(*value)) continue;
    if (strict || !habit.may_ask) {
      fields.fail(habit.name, "is not supported", "remove the field; it would have no effect here");
    }
    ignored.push_back(fields.path(habit.name));
  }
}

}  // namespace strata::api::openai
