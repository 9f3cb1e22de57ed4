#include "api/request_settings.h"

#include <algorithm>
#include <tuple>

#include "core/check.h"
#include "core/error.h"

namespace strata::api {
namespace {

using models::ParameterValue;
using Options = SamplingOptions;
using Texts = std::vector<std::string>;

// One row a parameter that is honoured: how it is set, and what was set, as it would be typed.
// What it may be is the table's business (models/parameters.h): what is set here can be saved.
struct Row {
  std::string_view name;
  void (*set)(RequestSettings&, const std::vector<ParameterValue>&);
  Texts (*show)(const RequestSettings&);
};

template <typename T>
Texts shown(const std::optional<T>& value) {
  return value ? Texts{fmt::format("{}", *value)} : Texts{};
}

template <auto kMember>
constexpr Row number(std::string_view name) {
  return {name,
          [](RequestSettings& settings, const std::vector<ParameterValue>& values) {
            settings.sampling.*kMember = values.front().number;
          },
          [](const RequestSettings& settings) { return shown(settings.sampling.*kMember); }};
}

template <auto kMember, int32_t kLeast = INT32_MIN>
constexpr Row integer(std::string_view name) {
  return {name,
          [](RequestSettings& settings, const std::vector<ParameterValue>& values) {
            settings.sampling.*kMember =
                std::max(static_cast<int32_t>(values.front().integer), kLeast);
          },
          [](const RequestSettings& settings) { return shown(settings.sampling.*kMember); }};
}

template <auto kMember>
constexpr Row texts(std::string_view name) {
  return {name,
          [](RequestSettings& settings, const std::vector<ParameterValue>& values) {
            Texts all;
            for (const auto& value : values) all.push_back(value.text);
            settings.sampling.*kMember = std::move(all);
          },
          [](const RequestSettings& settings) {
            return (settings.sampling.*kMember).value_or(Texts{});
          }};
}

void set_context(RequestSettings& settings, const std::vector<ParameterValue>& values) {
  settings.context = static_cast<int32_t>(values.front().integer);
}

Texts show_context(const RequestSettings& settings) {
  return shown(settings.context);
}

void set_context_policy(RequestSettings& settings, const std::vector<ParameterValue>& values) {
  settings.context_policy = parse_context_policy(values.front().text);
}

Texts show_context_policy(const RequestSettings& settings) {
  return settings.context_policy ? Texts{std::string(name(*settings.context_policy))} : Texts{};
}

// -1: one is drawn for each prompt, also where the model brings its own.
void set_seed(RequestSettings& settings, const std::vector<ParameterValue>& values) {
  settings.sampling.seed = static_cast<uint64_t>(values.front().integer);  // -1 is kFreshSeed
}

Texts show_seed(const RequestSettings& settings) {
  const auto& seed = settings.sampling.seed;
  return seed ? Texts{std::to_string(static_cast<int64_t>(*seed))} : Texts{};
}

constexpr Row kRows[] = {
    number<&Options::temperature>("temperature"),
    integer<&Options::top_k, 0>("top_k"),  // less means all too
    number<&Options::top_p>("top_p"),
    number<&Options::min_p>("min_p"),
    number<&Options::typical_p>("typical_p"),
    number<&Options::top_n_sigma>("top_n_sigma"),
    number<&Options::xtc_probability>("xtc_probability"),
    number<&Options::xtc_threshold>("xtc_threshold"),
    number<&Options::repeat_penalty>("repeat_penalty"),
    integer<&Options::repeat_last_n>("repeat_last_n"),
    number<&Options::presence_penalty>("presence_penalty"),
    number<&Options::frequency_penalty>("frequency_penalty"),
    number<&Options::dry_multiplier>("dry_multiplier"),
    number<&Options::dry_base>("dry_base"),
    integer<&Options::dry_allowed_length>("dry_allowed_length"),
    integer<&Options::dry_penalty_last_n>("dry_penalty_last_n"),
    texts<&Options::dry_sequence_breakers>("dry_sequence_breaker"),
    integer<&Options::mirostat>("mirostat"),
    number<&Options::mirostat_tau>("mirostat_tau"),
    number<&Options::mirostat_eta>("mirostat_eta"),
    {"seed", set_seed, show_seed},
    integer<&Options::max_tokens, -1>("num_predict"),  // -2 means the same
    {"num_ctx", set_context, show_context},
    {"context_policy", set_context_policy, show_context_policy},
    texts<&Options::stop>("stop"),
};

constexpr auto kOptions = std::tuple{&Options::temperature,
                                     &Options::top_k,
                                     &Options::top_p,
                                     &Options::min_p,
                                     &Options::typical_p,
                                     &Options::top_n_sigma,
                                     &Options::xtc_probability,
                                     &Options::xtc_threshold,
                                     &Options::repeat_last_n,
                                     &Options::repeat_penalty,
                                     &Options::presence_penalty,
                                     &Options::frequency_penalty,
                                     &Options::dry_multiplier,
                                     &Options::dry_base,
                                     &Options::dry_allowed_length,
                                     &Options::dry_penalty_last_n,
                                     &Options::dry_sequence_breakers,
                                     &Options::mirostat,
                                     &Options::mirostat_tau,
                                     &Options::mirostat_eta,
                                     &Options::seed,
                                     &Options::max_tokens,
                                     &Options::stop};

}  // namespace

void set_parameter(RequestSettings& settings, std::string_view name,
                   const std::vector<std::string>& values) {
  if (values.empty()) {
    throw Error(Code::invalid_argument, fmt::format("{} needs a value", name));
  }
  models::Parameters given;
  for (const auto& value : values) given.emplace(name, value);
  const auto read = models::read_parameters(given);
  if (read.front().rule->use == models::ParameterUse::ignored) {
    throw Error(Code::invalid_argument, fmt::format("parameter {} has no effect here", name),
                "leave it out: how to compute is the program's own business");
  }
  const auto row = std::ranges::find(kRows, name, &Row::name);
  CHECK(row != std::end(kRows));
  row->set(settings, read);
}

std::vector<std::pair<std::string, std::string>> set_parameters(const RequestSettings& settings) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const Row& row : kRows) {
    for (auto& value : row.show(settings)) pairs.emplace_back(row.name, std::move(value));
  }
  return pairs;
}

RequestSettings read_settings(const models::Parameters& parameters) {
  RequestSettings settings;
  for (auto at = parameters.begin(); at != parameters.end();) {
    const std::string& name = at->first;
    Texts values;
    for (; at != parameters.end() && at->first == name; ++at) values.push_back(at->second);
    set_parameter(settings, name, values);
  }
  return settings;
}

void apply_where_silent(const RequestSettings& settings, ChatRequest& request) {
  const auto put = [](const auto& set, auto& target) {
    if (!target) target = set;
  };
  std::apply(
      [&](auto... member) { (put(settings.sampling.*member, request.sampling.*member), ...); },
      kOptions);
  put(settings.context, request.context);
  put(settings.context_policy, request.context_policy);
}

}  // namespace strata::api
