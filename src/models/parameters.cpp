#include "models/parameters.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/check.h"
#include "core/error.h"
#include "core/similar.h"
#include "core/utf8.h"

namespace strata::models {
namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int32_t>::max();
constexpr float kMaxFloat = std::numeric_limits<float>::max();
constexpr float kAboveZero = std::numeric_limits<float>::denorm_min();
constexpr float kMaxMirostat = 1000.0f;  // keeps mirostat's running surprise a finite number
constexpr size_t kMaxIgnoredBytes = 1024;

constexpr ParameterRule integer(std::string_view name, int64_t low, int64_t high,
                                std::string_view wanted, int64_t step = 1) {
  return {.name = name,
          .kind = ParameterKind::integer,
          .low = low,
          .high = high,
          .step = step,
          .wanted = wanted};
}

constexpr ParameterRule number(std::string_view name, float low, float high,
                               std::string_view wanted) {
  return {.name = name,
          .kind = ParameterKind::number,
          .number_low = low,
          .number_high = high,
          .wanted = wanted};
}

constexpr ParameterRule any_number(std::string_view name) {
  return number(name, -kMaxFloat, kMaxFloat, "a number");
}

constexpr ParameterRule share(std::string_view name) {
  return number(name, 0, 1, "a number from 0 to 1");
}

constexpr ParameterRule texts(std::string_view name, size_t max_bytes, size_t max_times,
                              std::string_view wanted) {
  return {.name = name, .max_bytes = max_bytes, .max_times = max_times, .wanted = wanted};
}

constexpr std::array<std::string_view, 3> kContextPolicies{"error", "truncate", "summarise"};

constexpr ParameterRule one_of(std::string_view name, std::span<const std::string_view> words,
                               std::string_view wanted) {
  return {.name = name, .max_bytes = 32, .words = words, .wanted = wanted};
}

// What its value is makes no difference, but that `anyway` is no wish that is not met.
constexpr ParameterRule ignored(std::string_view name, std::string_view anyway = {}) {
  return {.name = name,
          .use = ParameterUse::ignored,
          .max_bytes = kMaxIgnoredBytes,
          .wanted = "a text of 1 to 1024 bytes",
          .anyway = anyway};
}

constexpr ParameterRule refused(std::string_view name, std::string_view way_out) {
  return {.name = name, .use = ParameterUse::refused, .wanted = "left out", .way_out = way_out};
}

constexpr auto kRules = std::to_array<ParameterRule>({
    one_of("context_policy", kContextPolicies, "error, truncate or summarise"),
    ignored("draft_num_predict"),
    integer("dry_allowed_length", 0, kMaxInt, "a whole number, 0 or more"),
    number("dry_base", 1, kMaxFloat, "a number, 1 or more"),
    number("dry_multiplier", 0, kMaxFloat, "a number, 0 (off) or more"),
    integer("dry_penalty_last_n", -1, kMaxInt, "a whole number, -1 (the context) or more"),
    texts("dry_sequence_breaker", kMaxBreakerTextBytes, kMaxBreakerTexts,
          "a text of 1 to 40 bytes"),
    ignored("embedding_only", "false"),
    ignored("f16_kv", "true"),
    any_number("frequency_penalty"),
    refused("keep_alive",
            "how long a model stays loaded is said by the request's keep_alive or by the server's "
            "configuration: remove it"),
    ignored("logits_all", "false"),
    ignored("low_vram", "false"),
    ignored("main_gpu", "0"),
    share("min_p"),
    integer("mirostat", 0, 2, "0 (off) or 2", 2),
    number("mirostat_eta", kAboveZero, kMaxMirostat, "a number above 0, 1000 at most"),
    number("mirostat_tau", kAboveZero, kMaxMirostat, "a number above 0, 1000 at most"),
    ignored("num_batch"),
    integer("num_ctx", 1, kMaxInt, "a whole number from 1 to 2147483647"),
    ignored("num_gpu", "0"),
    ignored("num_gqa"),
    ignored("num_keep"),
    integer("num_predict", -2, kMaxInt, "a whole number, 0 or more, or -1 for no limit"),
    ignored("num_thread"),
    ignored("numa", "false"),
    any_number("presence_penalty"),
    integer("repeat_last_n", -1, kMaxInt, "a whole number, -1 (the context) or more"),
    number("repeat_penalty", kAboveZero, kMaxFloat, "a number above 0"),
    integer("seed", std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(),
            "a whole number of 64 bits; -1 is a new one each time"),
    texts("stop", kMaxStopTextBytes, kMaxStopTexts, "a text of 1 to 1024 bytes"),
    any_number("temperature"),
    integer("top_k", -kMaxInt - 1, kMaxInt, "a whole number of 32 bits"),
    any_number("top_n_sigma"),
    share("top_p"),
    share("typical_p"),
    ignored("use_mlock", "false"),
    ignored("use_mmap", "true"),
    ignored("vocab_only", "false"),
    share("xtc_probability"),
    share("xtc_threshold"),
});

const ParameterRule& rule_of(std::string_view name) {
  const auto rule = std::ranges::find(kRules, name, &ParameterRule::name);
  if (rule != kRules.end()) return *rule;
  std::vector<std::string> known;
  for (const ParameterRule& one : kRules) {
    if (one.use == ParameterUse::honoured) known.emplace_back(one.name);
  }
  std::string hint = did_you_mean(name, known);
  if (hint.empty()) {
    for (const auto& one : known) hint += (hint.empty() ? "the known ones are: " : ", ") + one;
  }
  throw Error(Code::invalid_argument, fmt::format("there is no parameter '{}'", name), hint);
}

template <typename Number>
bool parse(std::string_view text, Number& value) {
  const char* end = text.data() + text.size();
  const auto [stopped, problem] = std::from_chars(text.data(), end, value);
  return !text.empty() && problem == std::errc() && stopped == end;
}

bool read_value(std::string_view text, ParameterValue& value) {
  const ParameterRule& rule = *value.rule;
  switch (rule.kind) {
    case ParameterKind::integer:
      return parse(text, value.integer) && in_range(rule, value.integer);
    case ParameterKind::number:
      return parse(text, value.number) && in_range(rule, double{value.number});
    case ParameterKind::text:
      value.text = text;
      return !text.empty() && text.size() <= rule.max_bytes && is_valid_utf8(text) &&
             (rule.words.empty() || std::ranges::find(rule.words, text) != rule.words.end());
  }
  return false;
}

}  // namespace

std::span<const ParameterRule> parameter_rules() {
  return kRules;
}

const ParameterRule& parameter_rule(std::string_view name) {
  const auto rule = std::ranges::find(kRules, name, &ParameterRule::name);
  CHECK(rule != kRules.end());
  return *rule;
}

bool in_range(const ParameterRule& rule, int64_t value) {
  return value >= rule.low && value <= rule.high &&
         (rule.step == 1 || (value - rule.low) % rule.step == 0);  // else it is short
}

bool in_range(const ParameterRule& rule, double value) {
  return value >= rule.number_low && value <= rule.number_high;
}

ParameterValue read_parameter(std::string_view name, std::string_view text) {
  ParameterValue value;
  value.rule = &rule_of(name);
  if (value.rule->use == ParameterUse::refused) {
    throw Error(Code::invalid_argument,
                fmt::format("parameter {} is no setting of a model here", name),
                std::string(value.rule->way_out));
  }
  if (!read_value(text, value)) {
    constexpr size_t kShown = 100;
    const bool whole = text.size() <= kShown && is_valid_utf8(text);
    throw Error(
        Code::invalid_argument,
        whole ? fmt::format("parameter {} is '{}', it must be {}", name, text, value.rule->wanted)
              : fmt::format("parameter {} has {} bytes, it must be {}", name, text.size(),
                            value.rule->wanted));
  }
  return value;
}

std::vector<ParameterValue> read_parameters(const Parameters& parameters) {
  std::vector<ParameterValue> values;
  size_t times = 0;
  for (const auto& [name, text] : parameters) {
    ParameterValue value = read_parameter(name, text);
    times = !values.empty() && values.back().rule == value.rule ? times + 1 : 1;
    if (times > value.rule->max_times) {
      throw Error(Code::invalid_argument,
                  fmt::format("parameter {} is given {} times, the limit is {}", name,
                              parameters.count(name), value.rule->max_times));
    }
    values.push_back(std::move(value));
  }
  return values;
}

std::vector<std::string> ignored_parameters(const Parameters& parameters) {
  std::vector<std::string> names;
  for (const auto& [name, text] : parameters) {
    const auto rule = std::ranges::find(kRules, name, &ParameterRule::name);
    const bool is_ignored = rule != kRules.end() && rule->use == ParameterUse::ignored;
    if (is_ignored && (names.empty() || names.back() != name)) names.push_back(name);
  }
  return names;
}

}  // namespace strata::models
