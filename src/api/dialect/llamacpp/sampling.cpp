// What llama.cpp's interface says about sampling in words of its own, and how it is told.
#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "api/dialect/llamacpp/llamacpp.h"
#include "api/limits.h"

namespace strata::api::llamacpp {
namespace {

constexpr double kMaxBias = 1e6;
// Of names that a request lists; each that is not known takes room in a header.
constexpr size_t kMaxSamplers = 32;

// In the order in which they work here (docs/engine/sampling.md), with what switches each off.
struct Step {
  std::string_view name;
  void (*switch_off)(SamplingOptions& sampling);
};
constexpr std::array kSteps{Step{"penalties",
                                 [](SamplingOptions& s) {
                                   s.repeat_penalty = 1.0f;
                                   s.presence_penalty = s.frequency_penalty = 0.0f;
                                 }},
                            Step{"dry", [](SamplingOptions& s) { s.dry_multiplier = 0.0f; }},
                            Step{"top_n_sigma", [](SamplingOptions& s) { s.top_n_sigma = 0.0f; }},
                            Step{"top_k", [](SamplingOptions& s) { s.top_k = 0; }},
                            Step{"typ_p", [](SamplingOptions& s) { s.typical_p = 1.0f; }},
                            Step{"top_p", [](SamplingOptions& s) { s.top_p = 1.0f; }},
                            Step{"min_p", [](SamplingOptions& s) { s.min_p = 0.0f; }},
                            Step{"xtc", [](SamplingOptions& s) { s.xtc_probability = 0.0f; }},
                            Step{"temperature", [](SamplingOptions& s) { s.temperature = 1.0f; }}};

// kSteps.size(): there is none of that name.
size_t step_at(std::string_view name) {
  if (name == "typical_p") name = "typ_p";
  return static_cast<size_t>(std::ranges::find(kSteps, name, &Step::name) - kSteps.begin());
}

int32_t read_id(const json::value& value, const Fields& fields) {
  if (value.is_int64() && value.get_int64() >= 0 && value.get_int64() <= INT32_MAX) {
    return static_cast<int32_t>(value.get_int64());
  }
  if (value.is_string()) {
    fields.fail("logit_bias", "names a token by its text",
                "send token ids: /tokenize tells those of a text");
  }
  fields.fail("logit_bias", "has an entry that is no token id");
}

float read_bias(const json::value& value, const Fields& fields) {
  if (value.is_bool() && !value.get_bool()) return -std::numeric_limits<float>::infinity();
  if (value.is_number()) {
    const double bias = value.to_number<double>();
    if (bias >= -kMaxBias && bias <= kMaxBias) return static_cast<float>(bias);
  }
  fields.fail("logit_bias",
              fmt::format("has a bias that is neither false nor a number from {} to {}", -kMaxBias,
                          kMaxBias));
}

int32_t read_key(std::string_view key, const Fields& fields) {
  int32_t id = -1;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
  if (error != std::errc() || end != key.data() + key.size() || id < 0) {
    return read_id(json::value(key), fields);
  }
  return id;
}

}  // namespace

void read_logit_bias(Fields& fields, SamplingOptions& sampling) {
  const json::value* value = fields.get("logit_bias");
  if (value == nullptr) return;
  if (const json::object* object = value->if_object()) {
    if (object->size() > kMaxLogitBias) {
      fields.fail("logit_bias",
                  fmt::format("has {} entries, the limit is {}", object->size(), kMaxLogitBias));
    }
    for (const auto& [key, bias] : *object) {
      sampling.logit_bias[read_key(key, fields)] = read_bias(bias, fields);
    }
    return;
  }
  for (const json::value& pair : fields.array("logit_bias", kMaxLogitBias)) {
    const json::array* both = pair.if_array();
    if (both == nullptr || both->size() != 2) {
      fields.fail("logit_bias", "must be an array of [token id, bias], or an object");
    }
    sampling.logit_bias[read_id((*both)[0], fields)] = read_bias((*both)[1], fields);
  }
}

void read_samplers(Fields& fields, SamplingOptions& sampling, std::vector<std::string>& ignored) {
  if (!fields.has("samplers")) return;
  const auto names = fields.array("samplers", kMaxSamplers);
  std::array<bool, kSteps.size()> wanted{};
  size_t next = 0;
  bool in_order = true;
  for (size_t i = 0; i < names.size(); ++i) {
    if (!names[i].is_string()) fields.fail("samplers", "has an entry that is no text");
    const size_t at = step_at(names[i].get_string());
    if (at == kSteps.size()) {
      ignored.push_back(fmt::format("samplers[{}]", i));
      continue;
    }
    in_order = in_order && at >= next;
    next = at;
    wanted[at] = true;
  }
  if (!in_order) ignored.emplace_back("samplers.order");
  for (size_t i = 0; i < kSteps.size(); ++i) {
    if (!wanted[i]) kSteps[i].switch_off(sampling);
  }
}

json::array sampler_names() {
  json::array names;
  for (const Step& step : kSteps) names.push_back(json::string(step.name));
  return names;
}

json::object settings_json(const Told& told) {
  const inference::SamplerParams& s = told.sampler;
  json::array stop(told.stop.begin(), told.stop.end());
  json::array breakers(s.dry_sequence_breakers.begin(), s.dry_sequence_breakers.end());
  // Seeds are sent as numbers with a sign, so they are told as such.
  json::object settings{{"seed", static_cast<int64_t>(s.seed)},
                        {"temperature", s.temperature},
                        {"top_k", s.top_k},
                        {"top_p", s.top_p},
                        {"min_p", s.min_p},
                        {"top_n_sigma", s.top_n_sigma},
                        {"xtc_probability", s.xtc_probability},
                        {"xtc_threshold", s.xtc_threshold},
                        {"typical_p", s.typical_p},
                        {"repeat_last_n", s.repeat_last_n},
                        {"repeat_penalty", s.repeat_penalty},
                        {"presence_penalty", s.presence_penalty},
                        {"frequency_penalty", s.frequency_penalty},
                        {"dry_multiplier", s.dry_multiplier},
                        {"dry_base", s.dry_base},
                        {"dry_allowed_length", s.dry_allowed_length},
                        {"dry_penalty_last_n", s.dry_penalty_last_n},
                        {"dry_sequence_breakers", std::move(breakers)},
                        {"mirostat", s.mirostat},
                        {"mirostat_tau", s.mirostat_tau},
                        {"mirostat_eta", s.mirostat_eta},
                        {"stop", std::move(stop)},
                        {"max_tokens", told.max_tokens},
                        {"n_predict", told.max_tokens},
                        {"samplers", sampler_names()},
                        {"lora", json::array{}}};
  // What is not built, at the values that say so.
  settings["dynatemp_range"] = 0;
  settings["dynatemp_exponent"] = 1;
  settings["adaptive_target"] = -1;
  settings["adaptive_decay"] = 0;
  settings["n_keep"] = 0;
  settings["n_discard"] = 0;
  settings["min_keep"] = 0;
  return settings;
}

}  // namespace strata::api::llamacpp
