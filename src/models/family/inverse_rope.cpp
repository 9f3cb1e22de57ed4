// Rotary positions as config.json says them: rope_parameters, and the older rope_theta and
// rope_scaling, of the same meaning, for programs that don't know the first.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "models/family/inverse_translation.h"

namespace strata::models {
namespace {

// The fraction of a head of which the whole part of the product is n_dims again.
double fraction_of(int32_t n_dims, int32_t head_dim) {
  double fraction = static_cast<double>(n_dims) / head_dim;
  if (std::floor(head_dim * fraction) < n_dims) fraction = std::nextafter(fraction, 2.0);
  return fraction;
}

// The same number where it is whole to float's precision.
double rounded(double value) {
  const double whole = std::round(value);
  return std::abs(value - whole) < 1e-3 * std::abs(whole) ? whole : value;
}

json::array as_array(const std::vector<float>& values) {
  json::array out;
  for (const float value : values) out.emplace_back(shortest(value));
  return out;
}

constexpr double kUsualHigh = 4.0;

// All waves up to `kept` stay, the next one is stretched whole: a first context between them, a
// power of two where there is one.
void step_of_divisors(double kept, const Rope& rope, json::object& out) {
  const double next = kept * std::pow(double{rope.base}, 2.0 / rope.n_dims);
  const double high = next > kUsualHigh * kept ? kUsualHigh : std::sqrt(next / kept);
  const double power = std::exp2(std::floor(std::log2(next)));
  out["high_freq_factor"] = high;
  out["original_max_position_embeddings"] =
      static_cast<int64_t>(power > high * kept ? power : std::floor(next));
}

struct HeadRope {
  const Rope* rope = nullptr;
  int32_t head_dim = 0;
};

// Of a model's attention with rotary positions the first without a window, and with one.
struct Turned {
  HeadRope full, windowed;
};

Turned turned_of(const ModelSpec& spec) {
  Turned turned;
  const auto take = [](HeadRope& first, const Rope& rope, int32_t head_dim) {
    if (first.rope == nullptr && rope.kind != RopeKind::none) first = {&rope, head_dim};
  };
  for (const Layer& layer : spec.layers) {
    for (const Block& block : layer.blocks) {
      if (const auto* attention = std::get_if<Attention>(&block.op)) {
        take(attention->window > 0 ? turned.windowed : turned.full, attention->rope,
             attention->head_dim);
      } else if (const auto* latent = std::get_if<LatentAttention>(&block.op)) {
        take(turned.full, latent->rope, latent->rope.n_dims);
      }
    }
  }
  return turned;
}

}  // namespace

void InverseTranslation::rotary() {
  say({"num_key_value_heads"}, head_groups().n_kv_heads);
  say({"head_dim"}, head_groups().head_dim);
  const Turned turned = turned_of(spec_);
  const HeadRope main = turned.full.rope != nullptr ? turned.full : turned.windowed;
  if (main.rope == nullptr) return;
  // A class that turns a part where nothing is said is told of the whole, too.
  if (main.rope->n_dims != main.head_dim || config().has_default("partial_rotary_factor")) {
    say({"partial_rotary_factor", "rotary_pct", "rope_pct"},
        fraction_of(main.rope->n_dims, main.head_dim));
  }
  json::object parameters;
  rotary_parameters(*main.rope, main.head_dim, parameters);
  if (const json::value* own = own_.said.if_contains("rope_parameters")) {
    for (const auto& [field, value] : own->get_object()) parameters[field] = value;
  }
  say({"rope_theta", "rotary_emb_base"}, parameters["rope_theta"]);
  json::object older = parameters;
  older.erase("rope_theta");
  older["type"] = older["rope_type"];
  if (older["type"] == "default") {
    say({"rope_scaling"}, nullptr);
  } else {
    say({"rope_scaling"}, older);
  }
  // Where only the scaling differs, the class knows that windows have none.
  const Rope* windowed = turned.windowed.rope;
  const bool differ =
      turned.full.rope != nullptr && windowed != nullptr && main.rope->base != windowed->base;
  if (!differ && !own_.rope_of_each_type) {
    said_["rope_parameters"] = std::move(parameters);
    return;
  }
  const HeadRope& narrow = windowed != nullptr ? turned.windowed : main;
  json::object own;
  rotary_parameters(*narrow.rope, narrow.head_dim, own);
  say({"rope_local_base_freq"}, own["rope_theta"]);
  say({"rope_parameters"},
      json::object{{"full_attention", parameters}, {"sliding_attention", own}});
}

void InverseTranslation::rotary_parameters(const Rope& rope, int32_t head_dim, json::object& out) {
  out["rope_theta"] = shortest(rope.base);
  out["rope_type"] = "default";
  if (rope.n_dims != head_dim) out["partial_rotary_factor"] = fraction_of(rope.n_dims, head_dim);
  if (rope.growth.factor > 0.0f) {
    out["rope_type"] = "dynamic";
    out["factor"] = shortest(rope.growth.factor);
    said_["max_position_embeddings"] = rope.growth.first_context;
    return;
  }
  if (rope.frequency_divisors != kNoTensor) return divisors(rope, out);
  if (rope.position_scale == 1.0f) return;
  // The key, since 1 / (1 / factor) may be its neighbour.
  out["factor"] = shortest(static_cast<float>(
      source_.number(key("rope.scaling.factor")).value_or(1.0 / double{rope.position_scale})));
  out["rope_type"] = rope.yarn.first_context > 0 ? "yarn" : "linear";
  if (rope.yarn.first_context > 0) yarn(rope, out);
}

// Where a part of the magnitude is in the scores, some programs read attention_factor and others
// the two mscale, of which the first is rounded.
void InverseTranslation::yarn(const Rope& rope, json::object& out) const {
  out["original_max_position_embeddings"] = rope.yarn.first_context;
  out["beta_fast"] = shortest(rope.yarn.beta_fast);
  out["beta_slow"] = shortest(rope.yarn.beta_slow);
  out["attention_factor"] = shortest(rope.yarn.magnitude);
  if (!rope.yarn.whole_pairs) out["truncate"] = false;
  const double multiplier = source_.number(key("rope.scaling.yarn_log_multiplier")).value_or(0);
  if (!has_magnitude_in_scores() || multiplier == 0) return;
  constexpr double kShare = 0.1;  // of the logarithm
  const double of_scores = shortest(static_cast<float>(multiplier / kShare));
  const double grown = kShare * std::log(1.0 / double{rope.position_scale});
  const double of_both = double{rope.yarn.magnitude} * (of_scores * grown + 1);
  out["mscale_all_dim"] = of_scores;
  out["mscale"] =
      rope.yarn.magnitude == 1.0f ? of_scores : shortest(static_cast<float>((of_both - 1) / grown));
}

void InverseTranslation::divisors(const Rope& rope, json::object& out) {
  const TensorSlot& slot = spec_.tensors[static_cast<size_t>(rope.frequency_divisors)];
  const TensorInfo& tensor = need_tensor(slot.name);
  const TensorInfo* longer = source_.find_tensor("rope_factors_long.weight");
  if (longer == nullptr) return stretched_divisors(tensor, rope, out);
  out["rope_type"] = "longrope";
  out["short_factor"] = as_array(values(tensor));
  out["long_factor"] = as_array(values(need_tensor(longer->name)));
  out["attention_factor"] = shortest(rope.yarn.magnitude);
  const auto first = source_.integer(key("rope.scaling.original_context_length"));
  if (!first) throw Error(Code::unimplemented, "the first context of its positions is not said");
  out["original_max_position_embeddings"] = *first;
  say({"original_max_position_embeddings"}, *first);
}

// Of Translation::stretched_divisors' formula, 1 / divisor = (1 - stays) / factor + stays with
// stays = (first / wave - low) / (high - low) between 0 and 1: the factor is the greatest divisor,
// and two frequencies between give first / (high - low) and low / (high - low), which is all that
// matters; low is 1. From one alone the first context is told where high is 4, as all models have
// it, and from none by the waves beside the step. Whoever reads the configuration compares what it
// makes of it.
void InverseTranslation::stretched_divisors(const TensorInfo& tensor, const Rope& rope,
                                            json::object& out) {
  const std::vector<float> divisors = values(tensor);
  const double factor = double{*std::ranges::max_element(divisors)};
  std::vector<std::pair<double, double>> between;  // 1 / wave, stays
  double longest_kept = 0;
  for (size_t i = 0; i < divisors.size(); ++i) {
    const double stays = (1.0 / double{divisors[i]} - 1.0 / factor) / (1.0 - 1.0 / factor);
    const double frequency =
        std::pow(double{rope.base}, -2.0 * static_cast<double>(i) / rope.n_dims);
    const double wave = 2.0 * std::numbers::pi / frequency;
    if (stays >= 1.0 - 1e-3) longest_kept = wave;
    if (stays > 1e-3 && stays < 1.0 - 1e-3) between.emplace_back(1.0 / wave, stays);
  }
  if (!(factor > 1.0) || (between.empty() && longest_kept == 0)) {
    throw Error(Code::unimplemented, "the rule of its rope_freqs can't be told from them");
  }
  out["rope_type"] = "llama3";
  out["factor"] = rounded(factor);
  out["low_freq_factor"] = 1.0;
  if (between.empty()) return step_of_divisors(longest_kept, rope, out);
  const auto [x0, y0] = between.front();
  const auto [x1, y1] = between.back();
  const double slope =
      between.size() > 1 ? (y1 - y0) / (x1 - x0) : (y0 + 1.0 / (kUsualHigh - 1.0)) / x0;
  const double lowest = slope * x0 - y0;
  out["high_freq_factor"] = rounded(1.0 + 1.0 / lowest);
  out["original_max_position_embeddings"] = std::llround(slope / lowest);
}

}  // namespace strata::models
