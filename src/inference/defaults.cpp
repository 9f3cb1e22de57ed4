#include "inference/defaults.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "inference/stop_strings.h"

namespace strata::inference {
namespace {

[[noreturn]] void refuse(std::string_view name, std::string_view value, std::string_view wanted) {
  throw Error(Code::invalid_argument,
              fmt::format("parameter {} is '{}', it must be {}", name, value, wanted));
}

template <typename Number>
Number parse_number(std::string_view name, std::string_view text, std::string_view wanted) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stopped, problem] = std::from_chars(text.data(), end, value);
  if (text.empty() || problem != std::errc() || stopped != end) refuse(name, text, wanted);
  return value;
}

float parse_float(std::string_view name, std::string_view text) {
  const auto value = parse_number<float>(name, text, "a number");
  if (!std::isfinite(value)) refuse(name, text, "a finite number");
  return value;
}

int32_t parse_int(std::string_view name, std::string_view text) {
  return parse_number<int32_t>(name, text, "a whole number");
}

using Set = void (*)(GenerationDefaults&, std::string_view name, std::string_view text);

template <float SamplerParams::* member>
void set_float(GenerationDefaults& d, std::string_view name, std::string_view text) {
  d.sampler.*member = parse_float(name, text);
}

template <int32_t SamplerParams::* member>
void set_int(GenerationDefaults& d, std::string_view name, std::string_view text) {
  d.sampler.*member = parse_int(name, text);
}

// -1 draws a seed for each request, as if none were given.
void set_seed(GenerationDefaults& d, std::string_view name, std::string_view text) {
  const auto seed = parse_number<int64_t>(name, text, "a whole number");
  if (seed < -1) refuse(name, text, "0 or more, or -1 for a new one each time");
  d.seed_given = seed >= 0;
  d.sampler.seed = d.seed_given ? static_cast<uint64_t>(seed) : 0;
}

// -1 and -2 (until the context is full) are one here: the context is never shifted.
void set_max_tokens(GenerationDefaults& d, std::string_view name, std::string_view text) {
  const int32_t value = parse_int(name, text);
  if (value < -2) refuse(name, text, "0 or more, or -1 for no limit");
  d.max_tokens = std::max(value, -1);
}

void set_context(GenerationDefaults& d, std::string_view name, std::string_view text) {
  const int32_t value = parse_int(name, text);
  if (value < 1) refuse(name, text, "1 or more");
  d.num_ctx = value;
}

void set_top_k(GenerationDefaults& d, std::string_view name, std::string_view text) {
  d.sampler.top_k = std::max(0, parse_int(name, text));  // Ollama: below 1 means all
}

void add_stop(GenerationDefaults& d, std::string_view, std::string_view text) {
  d.stop.emplace_back(text);
}

// Known to Ollama, without a meaning here: how the work is placed on devices and in memory.
void ignore(GenerationDefaults& d, std::string_view name, std::string_view) {
  d.ignored.emplace_back(name);
}

struct Parameter {
  std::string_view name;
  Set set;
};

constexpr Parameter kParameters[] = {
    {"draft_num_predict", ignore},
    {"dry_allowed_length", set_int<&SamplerParams::dry_allowed_length>},
    {"dry_base", set_float<&SamplerParams::dry_base>},
    {"dry_multiplier", set_float<&SamplerParams::dry_multiplier>},
    {"dry_penalty_last_n", set_int<&SamplerParams::dry_penalty_last_n>},
    {"frequency_penalty", set_float<&SamplerParams::frequency_penalty>},
    {"main_gpu", ignore},
    {"min_p", set_float<&SamplerParams::min_p>},
    {"mirostat", set_int<&SamplerParams::mirostat>},
    {"mirostat_eta", set_float<&SamplerParams::mirostat_eta>},
    {"mirostat_tau", set_float<&SamplerParams::mirostat_tau>},
    {"num_batch", ignore},
    {"num_ctx", set_context},
    {"num_gpu", ignore},
    {"num_keep", ignore},
    {"num_predict", set_max_tokens},
    {"num_thread", ignore},
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
    {"use_mmap", ignore},
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

void apply(const std::multimap<std::string, std::string>& parameters, GenerationDefaults& d) {
  for (const auto& [name, text] : parameters) {
    const auto* known = std::find_if(std::begin(kParameters), std::end(kParameters),
                                     [&](const Parameter& p) { return p.name == name; });
    if (known == std::end(kParameters)) {
      std::string names;
      for (const Parameter& p : kParameters) names += fmt::format(" {}", p.name);
      throw Error(Code::invalid_argument, fmt::format("there is no parameter '{}'", name),
                  fmt::format("the known ones are:{}", names));
    }
    known->set(d, name, text);
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

GenerationDefaults parse_parameters(const std::multimap<std::string, std::string>& parameters) {
  GenerationDefaults defaults = product_defaults();
  apply(parameters, defaults);
  check(defaults);
  return defaults;
}

std::vector<std::string_view> known_parameters() {
  std::vector<std::string_view> names;
  for (const Parameter& p : kParameters) names.push_back(p.name);
  return names;
}

}  // namespace strata::inference
