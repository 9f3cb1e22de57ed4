#include "app/cli/chat/parameters.h"

#include <charconv>
#include <type_traits>

#include "core/error.h"
#include "core/similar.h"

namespace strata::app {
namespace {

constexpr double kMany = 1e9;

// One row a parameter: what it may be, how it is set, how it is shown.
struct Parameter {
  std::string_view name;
  double low;
  double high;
  void (*set)(const Parameter&, ChatSession&, const std::string& text);
  std::string (*show)(const ChatSession&);
};

template <typename T>
void set_number(const Parameter& parameter, std::optional<T>& target, const std::string& text) {
  constexpr bool kReal = std::is_floating_point_v<T>;
  std::conditional_t<kReal, double, int64_t> value{};
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  const auto as_double = static_cast<double>(value);
  if (text.empty() || result.ec != std::errc() || result.ptr != end ||
      !(as_double >= parameter.low && as_double <= parameter.high)) {
    throw Error(Code::invalid_argument,
                fmt::format("{} is '{}', it must be a {} from {} to {}", parameter.name, text,
                            kReal ? "number" : "whole number", parameter.low, parameter.high));
  }
  target = static_cast<T>(value);
}

template <typename T>
std::string shown(const std::optional<T>& value) {
  return value ? fmt::format("{}", *value) : std::string();
}

template <auto kMember>
Parameter sampling(std::string_view name, double low, double high) {
  return {name, low, high,
          [](const Parameter& parameter, ChatSession& session, const std::string& text) {
            set_number(parameter, session.sampling.*kMember, text);
          },
          [](const ChatSession& session) { return shown(session.sampling.*kMember); }};
}

Parameter context_parameter() {
  return {"num_ctx", 1, kMany,
          [](const Parameter& parameter, ChatSession& session, const std::string& text) {
            set_number(parameter, session.context, text);
          },
          [](const ChatSession& session) { return shown(session.context); }};
}

// -1: one is drawn for each prompt, also where the model brings its own.
Parameter seed_parameter() {
  return {"seed", -1, 9.2e18,
          [](const Parameter& parameter, ChatSession& session, const std::string& text) {
            std::optional<int64_t> seed;
            set_number(parameter, seed, text);
            session.sampling.seed = *seed < 0 ? api::kFreshSeed : static_cast<uint64_t>(*seed);
          },
          [](const ChatSession& session) {
            const auto& seed = session.sampling.seed;
            return seed == api::kFreshSeed ? std::string("-1") : shown(seed);
          }};
}

const std::vector<Parameter>& parameters() {
  using Options = api::SamplingOptions;
  static const std::vector<Parameter> table{
      sampling<&Options::temperature>("temperature", 0, 100),
      sampling<&Options::top_k>("top_k", 0, kMany),
      sampling<&Options::top_p>("top_p", 0, 1),
      sampling<&Options::min_p>("min_p", 0, 1),
      sampling<&Options::typical_p>("typical_p", 0, 1),
      sampling<&Options::top_n_sigma>("top_n_sigma", 0, 1000),
      sampling<&Options::xtc_probability>("xtc_probability", 0, 1),
      sampling<&Options::xtc_threshold>("xtc_threshold", 0, 1),
      sampling<&Options::repeat_penalty>("repeat_penalty", 1e-3, 100),
      sampling<&Options::repeat_last_n>("repeat_last_n", -1, kMany),
      sampling<&Options::presence_penalty>("presence_penalty", -2, 2),
      sampling<&Options::frequency_penalty>("frequency_penalty", -2, 2),
      sampling<&Options::dry_multiplier>("dry_multiplier", 0, 100),
      sampling<&Options::dry_base>("dry_base", 1, 100),
      sampling<&Options::dry_allowed_length>("dry_allowed_length", 0, kMany),
      sampling<&Options::dry_penalty_last_n>("dry_penalty_last_n", -1, kMany),
      sampling<&Options::mirostat>("mirostat", 0, 2),
      sampling<&Options::mirostat_tau>("mirostat_tau", 0, 100),
      sampling<&Options::mirostat_eta>("mirostat_eta", 0, 1),
      seed_parameter(),
      sampling<&Options::max_tokens>("num_predict", -2, kMany),
      context_parameter(),
  };
  return table;
}

}  // namespace

void set_parameter(ChatSession& session, std::string_view name,
                   const std::vector<std::string>& values) {
  if (values.empty()) {
    throw Error(Code::invalid_argument, fmt::format("{} needs a value", name));
  }
  if (name == "stop") {
    session.sampling.stop = values;
    return;
  }
  std::vector<std::string> known{"stop"};
  for (const auto& parameter : parameters()) {
    if (parameter.name == name) {
      parameter.set(parameter, session, values[0]);
      return;
    }
    known.emplace_back(parameter.name);
  }
  std::string hint = did_you_mean(name, known);
  if (hint.empty()) {
    for (const auto& one : known) hint += (hint.empty() ? "known: " : ", ") + one;
  }
  throw Error(Code::invalid_argument, fmt::format("there is no parameter '{}'", name), hint);
}

std::vector<std::pair<std::string, std::string>> set_parameters(const ChatSession& session) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const auto& parameter : parameters()) {
    const std::string value = parameter.show(session);
    if (!value.empty()) rows.emplace_back(parameter.name, value);
  }
  for (const auto& stop : session.sampling.stop.value_or(std::vector<std::string>{})) {
    rows.emplace_back("stop", stop);
  }
  return rows;
}

}  // namespace strata::app
