#include "inference/defaults.h"

#include <algorithm>

#include "core/check.h"
#include "core/error.h"
#include "inference/stop_strings.h"

namespace strata::inference {
namespace {

using models::ParameterUse;
using models::ParameterValue;

static_assert(models::kMaxStopTexts == kMaxStops && models::kMaxStopTextBytes == kMaxStopBytes);
static_assert(models::kMaxBreakerTexts == kMaxDryBreakers &&
              models::kMaxBreakerTextBytes == kMaxDryBreakerBytes);

using Set = void (*)(GenerationDefaults&, const ParameterValue&);

template <float SamplerParams::* member>
void set_float(GenerationDefaults& d, const ParameterValue& value) {
  d.sampler.*member = value.number;
}

template <int32_t SamplerParams::* member>
void set_int(GenerationDefaults& d, const ParameterValue& value) {
  d.sampler.*member = static_cast<int32_t>(value.integer);
}

// -1 draws a seed for each request, as if none were given.
void set_seed(GenerationDefaults& d, const ParameterValue& value) {
  d.seed_given = value.integer != -1;
  d.sampler.seed = d.seed_given ? static_cast<uint64_t>(value.integer) : 0;
}

// -1 and -2 (until the context is full) are one here: the context is never shifted.
void set_max_tokens(GenerationDefaults& d, const ParameterValue& value) {
  d.max_tokens = std::max(static_cast<int32_t>(value.integer), -1);
}

void set_context(GenerationDefaults& d, const ParameterValue& value) {
  d.num_ctx = static_cast<int32_t>(value.integer);
}

void set_context_policy(GenerationDefaults& d, const ParameterValue& value) {
  d.context_policy = value.text;
}

void set_top_k(GenerationDefaults& d, const ParameterValue& value) {
  d.sampler.top_k = std::max(0, static_cast<int32_t>(value.integer));  // Ollama: below 1 means all
}

void add_stop(GenerationDefaults& d, const ParameterValue& value) {
  d.stop.push_back(value.text);
}

void add_breaker(GenerationDefaults& d, const ParameterValue& value) {
  d.sampler.dry_sequence_breakers.push_back(value.text);
}

struct Setter {
  std::string_view name;
  Set set;
};

// One for each parameter that is honoured.
constexpr Setter kSetters[] = {
    {"context_policy", set_context_policy},
    {"dry_allowed_length", set_int<&SamplerParams::dry_allowed_length>},
    {"dry_base", set_float<&SamplerParams::dry_base>},
    {"dry_multiplier", set_float<&SamplerParams::dry_multiplier>},
    {"dry_penalty_last_n", set_int<&SamplerParams::dry_penalty_last_n>},
    {"dry_sequence_breaker", add_breaker},
    {"frequency_penalty", set_float<&SamplerParams::frequency_penalty>},
    {"min_p", set_float<&SamplerParams::min_p>},
    {"mirostat", set_int<&SamplerParams::mirostat>},
    {"mirostat_eta", set_float<&SamplerParams::mirostat_eta>},
    {"mirostat_tau", set_float<&SamplerParams::mirostat_tau>},
    {"num_ctx", set_context},
    {"num_predict", set_max_tokens},
    {"presence_penalty", set_float<&SamplerParams::presence_penalty>},
    {"repeat_last_n", set_int<&SamplerParams::repeat_last_n>},
    {"repeat_penalty", set_float<&SamplerParams::repeat_penalty>},
    {"seed", set_seed},
    {"stop", add_stop},
    {"temperature", set_float<&SamplerParams::temperature>},
    {"top_k", set_top_k},
    {"top_n_sigma", set_float<&SamplerParams::top_n_sigma>},
    {"top_p", set_float<&SamplerParams::top_p>},
    {"typical_p", set_float<&SamplerParams::typical_p>},
    {"xtc_probability", set_float<&SamplerParams::xtc_probability>},
    {"xtc_threshold", set_float<&SamplerParams::xtc_threshold>},
};

// Ollama's documented defaults for PARAMETER; what stands nowhere here is switched off.
GenerationDefaults product_defaults() {
  GenerationDefaults defaults;
  defaults.sampler.temperature = 0.8f;
  defaults.sampler.top_k = 40;
  defaults.sampler.top_p = 0.9f;
  return defaults;
}

void apply(const models::Parameters& parameters, GenerationDefaults& d) {
  // The model's own breakers stand in the place of the product's.
  if (parameters.contains("dry_sequence_breaker")) d.sampler.dry_sequence_breakers.clear();
  for (const ParameterValue& value : models::read_parameters(parameters)) {
    const auto setter = std::ranges::find(kSetters, value.rule->name, &Setter::name);
    if (setter != std::end(kSetters)) {
      setter->set(d, value);
    } else {
      CHECK(value.rule->use == ParameterUse::ignored);
      d.ignored.emplace_back(value.rule->name);
    }
  }
}

// A key of the file, in llama.cpp's words, and the parameter that it sets.
struct FileKey {
  std::string_view key;
  std::string_view parameter;
};

constexpr FileKey kFileKeys[] = {
    {"general.sampling.temp", "temperature"},
    {"general.sampling.top_k", "top_k"},
    {"general.sampling.top_p", "top_p"},
    {"general.sampling.min_p", "min_p"},
    {"general.sampling.typical_p", "typical_p"},
    {"general.sampling.xtc_probability", "xtc_probability"},
    {"general.sampling.xtc_threshold", "xtc_threshold"},
    {"general.sampling.penalty_last_n", "repeat_last_n"},
    {"general.sampling.penalty_repeat", "repeat_penalty"},
    {"general.sampling.mirostat", "mirostat"},
    {"general.sampling.mirostat_tau", "mirostat_tau"},
    {"general.sampling.mirostat_eta", "mirostat_eta"},
};

// As a PARAMETER would say it; nullopt where the file has no such key.
std::optional<std::string> file_value(const models::ModelFile& file, const FileKey& key) {
  if (models::parameter_rule(key.parameter).kind == models::ParameterKind::integer) {
    if (const auto value = file.integer(key.key)) return fmt::format("{}", *value);
  } else if (const auto value = file.number(key.key)) {
    return fmt::format("{}", static_cast<float>(*value));
  }
  return std::nullopt;
}

// The settings that the makers of the file recommend, but for those that the overrides have.
void apply(const models::ModelFile& file, const models::Parameters& overrides,
           GenerationDefaults& d) {
  for (const FileKey& key : kFileKeys) {
    if (overrides.contains(std::string(key.parameter))) continue;
    const auto value = file_value(file, key);
    if (!value) continue;
    try {
      apply({{std::string(key.parameter), *value}}, d);
    } catch (const Error& error) {
      throw Error(error.code(), fmt::format("the model file's {}: {}", key.key, error.message()),
                  fmt::format("set another with PARAMETER {}", key.parameter));
    }
  }
  // The order of the steps is fixed here, and is llama.cpp's own.
  if (file.find("general.sampling.sequence")) d.ignored.emplace_back("general.sampling.sequence");
}

void check(const GenerationDefaults& d) {
  validate(d.sampler, 1);
  validate_stops(d.stop);
}

}  // namespace

GenerationDefaults generation_defaults(const models::Model& model) {
  GenerationDefaults defaults = product_defaults();
  if (model.file) apply(*model.file, model.overrides.parameters, defaults);
  apply(model.overrides.parameters, defaults);
  check(defaults);
  return defaults;
}

models::Parameters own_parameters(const models::ModelFile& file,
                                  const models::Parameters& overrides) {
  models::Parameters all = overrides;
  for (const FileKey& key : kFileKeys) {
    if (overrides.contains(std::string(key.parameter))) continue;
    if (auto value = file_value(file, key)) all.emplace(key.parameter, std::move(*value));
  }
  return all;
}

SamplerParams default_sampler(const models::Model& model) {
  return generation_defaults(model).sampler;
}

GenerationDefaults parse_parameters(const models::Parameters& parameters) {
  GenerationDefaults defaults = product_defaults();
  apply(parameters, defaults);
  check(defaults);
  return defaults;
}

}  // namespace strata::inference
