#include "models/family/published_sampling.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "models/family/hf_config.h"
#include "models/family/inverse_translation.h"

namespace strata::models {
namespace {

constexpr std::string_view kFile = "generation_config.json";
constexpr std::string_view kTemperature = "general.sampling.temp";
constexpr std::string_view kPenaltyWindow = "general.sampling.penalty_last_n";

struct Field {
  std::string_view name, key;
  bool is_integer = false;
};
constexpr Field kFields[] = {{"temperature", kTemperature},
                             {"top_k", "general.sampling.top_k", true},
                             {"top_p", "general.sampling.top_p"},
                             {"min_p", "general.sampling.min_p"},
                             {"typical_p", "general.sampling.typical_p"},
                             {"repetition_penalty", "general.sampling.penalty_repeat"}};

void set_integer(const Field& field, double value, MadeFile& file) {
  if (std::abs(value) > INT32_MAX || value != std::floor(value)) {
    throw Error(Code::invalid_argument, fmt::format("{}: '{}' is {}, no whole number of 32 bits",
                                                    kFile, field.name, value));
  }
  file.set_integer(field.key, static_cast<int64_t>(value));
}

}  // namespace

void set_published_sampling(const json::object& generation, MadeFile& file) {
  for (const Field& field : kFields) {
    const auto value = number_in(generation, field.name, kFile);
    if (!value) continue;
    if (field.is_integer) {
      set_integer(field, *value, file);
    } else {
      file.set_number(field.key, *value);
    }
    if (field.name == "repetition_penalty" && *value != 1) file.set_integer(kPenaltyWindow, -1);
  }
  if (flag_in(generation, "do_sample", kFile) == false) file.set_number(kTemperature, 0);
}

void add_published_sampling(const ModelFile& file, json::object& generation) {
  const bool is_greedy = file.number(kTemperature) == 0.0;
  for (const Field& field : kFields) {
    if (field.key == kTemperature && is_greedy) continue;  // which transformers refuses
    if (!file.find(field.key)) continue;
    if (field.is_integer) {
      generation[field.name] = *file.integer(field.key);
    } else {
      generation[field.name] = shortest(static_cast<float>(*file.number(field.key)));
    }
    generation["do_sample"] = !is_greedy;
  }
}

bool is_published_sampling(std::string_view key) {
  return std::ranges::any_of(kFields, [&](const Field& field) { return field.key == key; });
}

}  // namespace strata::models
