// Rotary positions of a config.json: rope_theta and rope_scaling, or rope_parameters, where
// transformers from version 5 on writes them, for all layers or for each type of layer.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "models/family/limits.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"
#include "models/format/gguf_part.h"

namespace strata::models {
namespace {

constexpr std::string_view kWhere = "config.json: rope_scaling";
constexpr double kDefaultBase = 10000.0;

double positive(const json::object& scaling, std::string_view name) {
  const auto value = number_in(scaling, name, kWhere);
  if (value && *value > 0) return *value;
  throw Error(Code::invalid_argument,
              fmt::format("{}: '{}' is missing or not above 0", kWhere, name));
}

}  // namespace

void Translation::rotary() {
  const json::object* parameters = config_.object("rope_parameters");
  const json::object* scaling = config_.object("rope_scaling");
  const bool has_any =
      parameters != nullptr || scaling != nullptr ||
      config_.find({"rope_theta", "rotary_emb_base", "partial_rotary_factor", "rotary_pct",
                    "rope_pct", "rotary_emb_fraction", "rope_local_base_freq"}) != nullptr;
  if (!has_any) return;  // the family knows whether there are positions to rotate, and its base
  double base = config_.number({"rope_theta", "rotary_emb_base"}).value_or(kDefaultBase);
  double fraction =
      config_.number({"partial_rotary_factor", "rotary_pct", "rope_pct", "rotary_emb_fraction"})
          .value_or(1.0);
  if (parameters != nullptr) {
    scaling = parameters;
    if (const json::value* all = parameters->if_contains("full_attention");
        all != nullptr && all->is_object()) {
      scaling = &all->get_object();
      if (const json::value* own = parameters->if_contains("sliding_attention");
          own != nullptr && own->is_object()) {
        set_number("rope.freq_base_swa",
                   number_in(own->get_object(), "rope_theta", "config.json: rope_parameters")
                       .value_or(kDefaultBase));
      }
    }
    base = number_in(*scaling, "rope_theta", "config.json: rope_parameters").value_or(base);
    fraction = number_in(*scaling, "partial_rotary_factor", "config.json: rope_parameters")
                   .value_or(fraction);
  } else if (const auto own = config_.number("rope_local_base_freq")) {
    set_number("rope.freq_base_swa", *own);
  }
  set_number("rope.freq_base", base);
  set_integer("rope.dimension_count",
              std::llround(std::floor(static_cast<double>(head_dim_) * fraction)));
  if (scaling != nullptr) rotary_scaling(*scaling, base);
}

void Translation::rotary_scaling(const json::object& scaling, double base) {
  const std::string type = text_in(scaling, "rope_type", kWhere)
                               .value_or(text_in(scaling, "type", kWhere).value_or("default"));
  if (type == "default") return;
  if (type == "llama3") return stretched_divisors(scaling, base);
  if (type == "longrope" || type == "su") return longrope_divisors(scaling);
  if (type == "dynamic") return growing_base(scaling);
  if (type != "linear" && type != "yarn") {
    throw Error(Code::unimplemented,
                fmt::format("{} of type '{}' is not supported yet", kWhere, printable(type)),
                "choose another model of this family");
  }
  file_->set_text(key("rope.scaling.type"), type);
  set_number("rope.scaling.factor", positive(scaling, "factor"));
  if (type != "yarn") return;
  const auto copy = [&](std::string_view ours, std::string_view theirs) {
    if (const auto value = number_in(scaling, theirs, kWhere)) set_number(ours, *value);
  };
  if (const auto first = number_in(scaling, "original_max_position_embeddings", kWhere)) {
    set_integer("rope.scaling.original_context_length", std::llround(*first));
  }
  copy("rope.scaling.yarn_beta_fast", "beta_fast");
  copy("rope.scaling.yarn_beta_slow", "beta_slow");
  set_flag(kYarnTruncate, flag_in(scaling, "truncate", kWhere).value_or(true));
  yarn_magnitudes(scaling, positive(scaling, "factor"));
}

// Of positions and of scores (transformers, modeling_rope_utils: yarn, get_mscale). Most classes
// know that of positions alone, which is the ratio of both. GGUF has what YaRN's own one
// (SpecBuilder::magnitude) is multiplied by, as llama.cpp reads it.
void Translation::yarn_magnitudes(const json::object& scaling, double factor) {
  constexpr double kShare = 0.1;  // of the logarithm
  const auto magnitude = [&](double m) {
    return factor > 1 ? kShare * m * std::log(factor) + 1 : 1.0;
  };
  const double of_positions = number_in(scaling, "mscale", kWhere).value_or(0);
  const double of_scores = number_in(scaling, "mscale_all_dim", kWhere).value_or(0);
  const bool in_scores = magnitude_in_scores_ && of_scores != 0;
  if (in_scores) set_number("rope.scaling.yarn_log_multiplier", kShare * of_scores);
  const bool both = of_positions != 0 && of_scores != 0;
  const double whole =
      number_in(scaling, "attention_factor", kWhere)
          .value_or(both ? magnitude(of_positions) / magnitude(of_scores) : magnitude(1));
  const double own = in_scores ? 1.0 : magnitude(1);
  if (std::abs(whole - own) < kSameMagnitude) return;
  // A factor as large as YaRN's own is read as the whole one, see there.
  const bool is_clear = std::abs(whole / own - own) > kSameMagnitude;
  set_number(is_clear ? kYarnFactor : kYarnMagnitude, is_clear ? whole / own : whole);
}

// Llama 3.1's stretching (transformers, modeling_rope_utils: llama3): waves longer than the first
// context / low_freq_factor are slowed by `factor`, those shorter than it / high_freq_factor stay,
// those between in part; none is between where both factors are the same (Llama 4). GGUF keeps what
// each frequency is divided by.
void Translation::stretched_divisors(const json::object& scaling, double base) {
  const double factor = positive(scaling, "factor");
  const double low = positive(scaling, "low_freq_factor");
  const double high = positive(scaling, "high_freq_factor");
  const double first = positive(scaling, "original_max_position_embeddings");
  if (high < low) {
    throw Error(
        Code::invalid_argument,
        fmt::format("{}: 'high_freq_factor' {} is below 'low_freq_factor' {}", kWhere, high, low));
  }
  std::vector<float> divisors;
  for (int32_t i = 0; i < head_dim_ / 2; ++i) {
    const double frequency = std::pow(base, -2.0 * i / head_dim_);
    const double wave = 2.0 * std::numbers::pi / frequency;
    const double turns = first / wave;  // within the first context
    const double stays = turns >= high ? 1.0 : turns <= low ? 0.0 : (turns - low) / (high - low);
    divisors.push_back(static_cast<float>(1.0 / ((1.0 - stays) / factor + stays)));
  }
  add_vector("rope_freqs.weight", divisors);
}

// The context that GGUF's key names is the one that the factor stretches the first to.
void Translation::growing_base(const json::object& scaling) {
  const double factor = positive(scaling, "factor");
  const int32_t first = width("max_position_embeddings", kMaxContext);
  set_number(kDynamicFactor, factor);
  set_integer("rope.scaling.original_context_length", first);
  const double stretched = std::floor(first * std::max(factor, 1.0));
  set_integer("context_length", static_cast<int64_t>(std::min(stretched, double{kMaxContext})));
}

// Their factor on keys and queries: transformers, modeling_rope_utils, longrope.
void Translation::longrope_divisors(const json::object& scaling) {
  // Of both places that of the whole configuration counts.
  constexpr std::string_view kFirst = "original_max_position_embeddings";
  const auto whole = config_.number(kFirst);
  const auto first = whole ? whole : number_in(scaling, kFirst, kWhere);
  const auto all = config_.number("max_position_embeddings");
  if (!first || !all || !(*first > 1)) {
    throw Error(Code::invalid_argument,
                fmt::format("{}: 'original_max_position_embeddings' is missing", kWhere));
  }
  const double factor = number_in(scaling, "factor", kWhere).value_or(*all / *first);
  const double own = factor > 1 ? std::sqrt(1 + std::log(factor) / std::log(*first)) : 1.0;
  set_integer("rope.scaling.original_context_length", std::llround(*first));
  set_number(kYarnFactor, number_in(scaling, "attention_factor", kWhere).value_or(own));
  add_vector("rope_factors_short.weight", numbers_in(scaling, "short_factor", kWhere));
  add_vector("rope_factors_long.weight", numbers_in(scaling, "long_factor", kWhere));
}

}  // namespace strata::models
