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

}  // namespace

void InverseTranslation::rotary() {
  said_["num_key_value_heads"] = head_groups().n_kv_heads;
  said_["head_dim"] = head_groups().head_dim;
  const Attention* full = nullptr;
  const Attention* windowed = nullptr;
  for (const Layer& layer : spec_.layers) {
    for (const Block& block : layer.blocks) {
      const auto* attention = std::get_if<Attention>(&block.op);
      if (attention == nullptr || attention->rope.kind == RopeKind::none) continue;
      const Attention*& first = attention->window > 0 ? windowed : full;
      if (first == nullptr) first = attention;
    }
  }
  const Attention* main = full != nullptr ? full : windowed;
  if (main == nullptr) return;
  const int32_t n_dims = main->rope.n_dims;
  if (n_dims != main->head_dim) {
    const double fraction = fraction_of(n_dims, main->head_dim);
    say({"partial_rotary_factor", "rotary_pct", "rope_pct"}, fraction);
  }
  json::object parameters;
  rotary_parameters(*main, parameters);
  say({"rope_theta", "rotary_emb_base"}, parameters["rope_theta"]);
  json::object older = parameters;
  older.erase("rope_theta");
  older["type"] = older["rope_type"];
  if (older["type"] == "default") {
    said_["rope_scaling"] = nullptr;
  } else {
    said_["rope_scaling"] = older;
  }
  // Where only the scaling differs, the class knows that windows have none.
  const bool differ =
      full != nullptr && windowed != nullptr && full->rope.base != windowed->rope.base;
  if (!differ) {
    said_["rope_parameters"] = parameters;
    return;
  }
  json::object own;
  rotary_parameters(*windowed, own);
  said_["rope_local_base_freq"] = own["rope_theta"];
  said_["rope_parameters"] =
      json::object{{"full_attention", parameters}, {"sliding_attention", own}};
}

void InverseTranslation::rotary_parameters(const Attention& attention, json::object& out) {
  const Rope& rope = attention.rope;
  out["rope_theta"] = shortest(rope.base);
  out["rope_type"] = "default";
  if (rope.n_dims != attention.head_dim) {
    out["partial_rotary_factor"] = fraction_of(rope.n_dims, attention.head_dim);
  }
  if (rope.growth.factor > 0.0f) {
    out["rope_type"] = "dynamic";
    out["factor"] = shortest(rope.growth.factor);
    said_["max_position_embeddings"] = rope.growth.first_context;
    return;
  }
  if (rope.frequency_divisors != kNoTensor) return divisors(attention, out);
  if (rope.position_scale == 1.0f) return;
  // The key, since 1 / (1 / factor) may be its neighbour.
  out["factor"] = shortest(static_cast<float>(
      source_.number(key("rope.scaling.factor")).value_or(1.0 / double{rope.position_scale})));
  out["rope_type"] = rope.yarn.first_context > 0 ? "yarn" : "linear";
  if (rope.yarn.first_context == 0) return;
  out["original_max_position_embeddings"] = rope.yarn.first_context;
  out["beta_fast"] = shortest(rope.yarn.beta_fast);
  out["beta_slow"] = shortest(rope.yarn.beta_slow);
  out["attention_factor"] = shortest(rope.yarn.magnitude);
}

void InverseTranslation::divisors(const Attention& attention, json::object& out) {
  const TensorSlot& slot = spec_.tensors[static_cast<size_t>(attention.rope.frequency_divisors)];
  const TensorInfo& tensor = need_tensor(slot.name);
  const TensorInfo* longer = source_.find_tensor("rope_factors_long.weight");
  if (longer == nullptr) return stretched_divisors(tensor, attention.rope, out);
  out["rope_type"] = "longrope";
  out["short_factor"] = as_array(values(tensor));
  out["long_factor"] = as_array(values(need_tensor(longer->name)));
  out["attention_factor"] = shortest(attention.rope.yarn.magnitude);
  const auto first = source_.integer(key("rope.scaling.original_context_length"));
  if (!first) throw Error(Code::unimplemented, "the first context of its positions is not said");
  out["original_max_position_embeddings"] = *first;
  said_["original_max_position_embeddings"] = *first;
}

// Of Translation::stretched_divisors' formula, 1 / divisor = (1 - stays) / factor + stays with
// stays = (first / wave - low) / (high - low) between 0 and 1: the factor is the greatest divisor,
// and two frequencies between give first / (high - low) and low / (high - low), which is all that
// matters; low is 1. From one alone the first context is told where high is 4, as all models have
// it. Whoever reads the configuration compares what it makes of it.
void InverseTranslation::stretched_divisors(const TensorInfo& tensor, const Rope& rope,
                                            json::object& out) {
  const std::vector<float> divisors = values(tensor);
  const double factor = double{*std::ranges::max_element(divisors)};
  std::vector<std::pair<double, double>> between;  // 1 / wave, stays
  for (size_t i = 0; i < divisors.size(); ++i) {
    const double stays = (1.0 / double{divisors[i]} - 1.0 / factor) / (1.0 - 1.0 / factor);
    if (!(stays > 1e-3 && stays < 1.0 - 1e-3)) continue;
    const double frequency =
        std::pow(double{rope.base}, -2.0 * static_cast<double>(i) / rope.n_dims);
    between.emplace_back(frequency / (2.0 * std::numbers::pi), stays);
  }
  if (factor <= 1.0 || between.empty()) {
    throw Error(Code::unimplemented, "the rule of its rope_freqs can't be told from them");
  }
  const auto [x0, y0] = between.front();
  const auto [x1, y1] = between.back();
  constexpr double kUsualLowest = 1.0 / 3.0;  // 1 / (4 - 1)
  const double slope = between.size() > 1 ? (y1 - y0) / (x1 - x0) : (y0 + kUsualLowest) / x0;
  const double lowest = slope * x0 - y0;
  out["rope_type"] = "llama3";
  out["factor"] = rounded(factor);
  out["low_freq_factor"] = 1.0;
  out["high_freq_factor"] = rounded(1.0 + 1.0 / lowest);
  out["original_max_position_embeddings"] = std::llround(slope / lowest);
}

}  // namespace strata::models
