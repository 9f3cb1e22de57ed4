#include "app/cli/chat/parameters.h"

#include <type_traits>
#include <utility>

#include "app/cli/command.h"
#include "core/error.h"
#include "core/similar.h"

namespace strata::app {
namespace {

template <typename T>
T parse(std::string_view name, const std::string& text) {
  Arguments words;
  words.options_[std::string(name)] = {text};
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(*words.number(name));
  } else {
    const int64_t value = *words.integer(name);
    if (!std::in_range<T>(value)) {
      throw Error(Code::invalid_argument, fmt::format("{} is {}: out of range", name, text));
    }
    return static_cast<T>(value);
  }
}

// One row a parameter: how it is set, how it is shown.
struct Parameter {
  std::string_view name;
  void (*set)(ChatSession&, const std::string&);
  std::string (*show)(const ChatSession&);
};

template <typename T>
std::string shown(const std::optional<T>& value) {
  return value ? fmt::format("{}", *value) : std::string();
}

#define SAMPLING(member, type)                                                                     \
  Parameter {                                                                                      \
    #member,                                                                                       \
        [](ChatSession& s, const std::string& v) { s.sampling.member = parse<type>(#member, v); }, \
        [](const ChatSession& s) { return shown(s.sampling.member); }                              \
  }

const std::vector<Parameter>& parameters() {
  static const std::vector<Parameter> table{
      SAMPLING(temperature, float),
      SAMPLING(top_k, int32_t),
      SAMPLING(top_p, float),
      SAMPLING(min_p, float),
      SAMPLING(typical_p, float),
      SAMPLING(top_n_sigma, float),
      SAMPLING(xtc_probability, float),
      SAMPLING(xtc_threshold, float),
      SAMPLING(repeat_penalty, float),
      SAMPLING(repeat_last_n, int32_t),
      SAMPLING(presence_penalty, float),
      SAMPLING(frequency_penalty, float),
      SAMPLING(dry_multiplier, float),
      SAMPLING(dry_base, float),
      SAMPLING(dry_allowed_length, int32_t),
      SAMPLING(dry_penalty_last_n, int32_t),
      SAMPLING(mirostat, int32_t),
      SAMPLING(mirostat_tau, float),
      SAMPLING(mirostat_eta, float),
      SAMPLING(seed, uint64_t),
      Parameter{"num_predict",
                [](ChatSession& s, const std::string& v) {
                  s.sampling.max_tokens = parse<int32_t>("num_predict", v);
                },
                [](const ChatSession& s) { return shown(s.sampling.max_tokens); }},
      Parameter{
          "num_ctx",
          [](ChatSession& s, const std::string& v) { s.context = parse<int32_t>("num_ctx", v); },
          [](const ChatSession& s) { return shown(s.context); }},
  };
  return table;
}
#undef SAMPLING

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
      parameter.set(session, values[0]);
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
