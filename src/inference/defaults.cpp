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
  d.seed_given = value.integer >= 0;
  d.sampler.seed = d.seed_given ? static_cast<uint64_t>(value.integer) : 0;
}

// -1 and -2 (until the context is full) are one here: the context is never shifted.
void set_max_tokens(GenerationDefaults& d, const ParameterValue& value) {
  d.max_tokens = std::max(static_cast<int32_t>(value.integer), -1);
}

void set_context(GenerationDefaults& d, const ParameterValue& value) {
  d.num_ctx = static_cast<int32_t>(value.integer);
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

// The settings that the makers of the file recommend (general.sampling.*, llama.cpp's names).
void apply(const models::GgufFile& file, GenerationDefaults& d) {
  const auto number = [&](std::string_view key, float& value) {
    if (const auto given = file.number(key)) value = static_cast<float>(*given);
  };
  const auto integer = [&](std::string_view key, int32_t& value) {
    const auto given = file.integer(key);
    if (!given) return;
    if (*given < INT32_MIN || *given > INT32_MAX) {
      throw Error(Code::invalid_argument,
                  fmt::format("the model file's {} is {}, beyond 32 bits", key, *given));
    }
    value = static_cast<int32_t>(*given);
  };
  number("general.sampling.temp", d.sampler.temperature);
  integer("general.sampling.top_k", d.sampler.top_k);
  d.sampler.top_k = std::max(0, d.sampler.top_k);
  number("general.sampling.top_p", d.sampler.top_p);
  number("general.sampling.min_p", d.sampler.min_p);
  number("general.sampling.xtc_probability", d.sampler.xtc_probability);
  number("general.sampling.xtc_threshold", d.sampler.xtc_threshold);
  integer("general.sampling.penalty_last_n", d.sampler.repeat_last_n);
  number("general.sampling.penalty_repeat", d.sampler.repeat_penalty);
  integer("general.sampling.mirostat", d.sampler.mirostat);
  number("general.sampling.mirostat_tau", d.sampler.mirostat_tau);
  number("general.sampling.mirostat_eta", d.sampler.mirostat_eta);
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
  if (model.file) apply(*model.file, defaults);
  apply(model.overrides.parameters, defaults);
  check(defaults);
  return defaults;
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
