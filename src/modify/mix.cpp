#include "modify/mix.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/similar.h"

namespace strata::modify {
namespace {

using tensor::DType;

constexpr std::array kMixes{
    Mix{"F32", 0, DType::f32},
    Mix{"F16", 1, DType::f16},
    Mix{"BF16", 32, DType::bf16},
    Mix{"Q8_0", 7, DType::q8_0},
    Mix{"Q6_K", 18, DType::q6_k},
    Mix{"Q5_K_M", 17, DType::q5_k},
    Mix{"Q5_K_S", 16, DType::q5_k},
    Mix{"Q5_1", 9, DType::q5_1},
    Mix{"Q5_0", 8, DType::q5_0},
    Mix{"Q4_K_M", 15, DType::q4_k},
    Mix{"Q4_K_S", 14, DType::q4_k},
    Mix{"IQ4_NL", 25, DType::iq4_nl},
    Mix{"IQ4_XS", 30, DType::iq4_xs},
    Mix{"Q4_1", 3, DType::q4_1},
    Mix{"Q4_0", 2, DType::q4_0},
    Mix{"MXFP4", 38, DType::mxfp4},
    Mix{"MXFP4_MOE", 38, DType::mxfp4, true},
    Mix{"Q3_K_L", 13, DType::q3_k},
    Mix{"Q3_K_M", 12, DType::q3_k},
    Mix{"Q3_K_S", 11, DType::q3_k},
    Mix{"Q2_K", 10, DType::q2_k},
};

enum class Layers { all, first_two, first_four, first_16th, first_8th, outer_and_every_third };
enum class When { always, four_heads_per_kv, with_importance, without_importance };

struct Rule {
  std::string_view mix;
  Role role;
  DType type;
  Layers layers = Layers::all;
  When when = When::always;
};

// The first that fits counts. The choices are llama.cpp's, so that a name means about the same size
// and quality everywhere: values, outputs and down projections lose most by few bits.
constexpr std::array kRules{
    Rule{"Q2_K", Role::v, DType::q4_k, Layers::all, When::four_heads_per_kv},
    Rule{"Q2_K", Role::v, DType::q3_k},
    Rule{"Q2_K", Role::attention_output, DType::q3_k},
    Rule{"Q2_K", Role::down, DType::q3_k},
    Rule{"Q3_K_M", Role::v, DType::q5_k, Layers::first_two},
    Rule{"Q3_K_M", Role::v, DType::q4_k},
    Rule{"Q3_K_M", Role::qkv, DType::q4_k},
    Rule{"Q3_K_M", Role::attention_output, DType::q4_k},
    Rule{"Q3_K_M", Role::down, DType::q5_k, Layers::first_16th},
    Rule{"Q3_K_M", Role::down, DType::q4_k},
    Rule{"Q3_K_L", Role::v, DType::q5_k},
    Rule{"Q3_K_L", Role::qkv, DType::q4_k},
    Rule{"Q3_K_L", Role::attention_output, DType::q5_k},
    Rule{"Q3_K_L", Role::down, DType::q5_k},
    Rule{"Q4_K_S", Role::v, DType::q5_k, Layers::first_four},
    Rule{"Q4_K_S", Role::down, DType::q5_k, Layers::first_8th},
    Rule{"Q4_K_M", Role::v, DType::q6_k, Layers::outer_and_every_third},
    Rule{"Q4_K_M", Role::qkv, DType::q5_k},
    Rule{"Q4_K_M", Role::down, DType::q6_k, Layers::outer_and_every_third},
    Rule{"Q5_K_M", Role::v, DType::q6_k, Layers::outer_and_every_third},
    Rule{"Q5_K_M", Role::qkv, DType::q6_k},
    Rule{"Q5_K_M", Role::down, DType::q6_k, Layers::outer_and_every_third},
    Rule{"IQ4_NL", Role::v, DType::q5_k, Layers::all, When::four_heads_per_kv},
    Rule{"IQ4_NL", Role::down, DType::q5_k, Layers::first_8th, When::without_importance},
    Rule{"IQ4_XS", Role::v, DType::q5_k, Layers::all, When::four_heads_per_kv},
    Rule{"IQ4_XS", Role::down, DType::q5_k, Layers::first_8th, When::without_importance},
    Rule{"Q4_0", Role::down, DType::q4_1, Layers::first_8th, When::with_importance},
    Rule{"Q5_0", Role::down, DType::q5_1, Layers::first_8th, When::with_importance},
};

bool is_in(Layers layers, int32_t index, int32_t n) {
  switch (layers) {
    case Layers::all:
      return true;
    case Layers::first_two:
      return index < 2;
    case Layers::first_four:
      return index < 4;
    case Layers::first_16th:
      return index < n / 16;
    case Layers::first_8th:
      return index < n / 8;
    case Layers::outer_and_every_third:
      return index < n / 8 || index >= 7 * n / 8 || (index - n / 8) % 3 == 2;
  }
  return false;
}

bool holds(When when, const MixOptions& options, const ModelTraits& traits) {
  switch (when) {
    case When::always:
      return true;
    case When::four_heads_per_kv:
      return traits.heads_per_kv >= 4;
    case When::with_importance:
      return options.has_importance;
    case When::without_importance:
      return !options.has_importance;
  }
  return false;
}

bool is_unquantised(DType type) {
  return tensor::dtype_info(type).block_weights == 1;
}

// Attention is small beside eight experts, and values beside eight heads that share them: a few
// bits more cost next to nothing.
DType with_more_for_small(DType type, const ModelTraits& traits, Role role) {
  constexpr int32_t kLargeLayers = 80;
  if (role == Role::v && traits.n_layers >= kLargeLayers && traits.heads_per_kv >= 8 &&
      (type == DType::q3_k || type == DType::q4_k)) {
    type = DType::q5_k;
  }
  if (traits.n_experts != 8) return type;
  if (role == Role::k || role == Role::v) return DType::q8_0;
  constexpr std::array kSmallTypes{DType::q2_k, DType::q3_k, DType::q4_k, DType::iq4_nl,
                                   DType::iq4_xs};
  if (role != Role::attention_output) return type;
  return std::ranges::find(kSmallTypes, type) == kSmallTypes.end() ? type : DType::q5_k;
}

DType type_of_head(const Mix& mix, uint64_t cols) {
  if (is_unquantised(mix.base) || mix.base == DType::q8_0) return mix.base;
  if (mix.base == DType::mxfp4) return DType::q8_0;
  return cols % tensor::dtype_info(DType::q6_k).block_weights == 0 ? DType::q6_k : DType::q8_0;
}

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return result;
}

std::string without_dashes(std::string_view name) {
  std::string result(name);
  std::erase_if(result, [](char c) { return c == '_' || c == '-'; });
  return result;
}

}  // namespace

std::span<const Mix> all_mixes() {
  return kMixes;
}

const Mix& find_mix(std::string_view name) {
  std::string wanted = upper(name);
  if (wanted == "Q3_K" || wanted == "Q4_K" || wanted == "Q5_K") wanted += "_M";
  const auto found = std::ranges::find(kMixes, wanted, &Mix::name);
  if (found != kMixes.end()) return *found;
  std::string all;
  std::vector<std::string> names;
  for (const Mix& mix : kMixes) {
    all += (all.empty() ? "" : " ") + std::string(mix.name);
    names.emplace_back(mix.name);
  }
  const auto same = std::ranges::find(kMixes, without_dashes(wanted),
                                      [](const Mix& mix) { return without_dashes(mix.name); });
  const std::string near = same != kMixes.end() ? fmt::format("did you mean '{}'?", same->name)
                                                : did_you_mean(wanted, names);
  throw Error(Code::invalid_argument, fmt::format("'{}' is none of the types", name),
              near.empty() ? all : near + " (" + all + ")");
}

DType type_in_mix(const Mix& mix, const MixOptions& options, const ModelTraits& traits,
                  const Place& place, bool is_stack, uint64_t cols) {
  if (place.role == Role::embedding && options.embedding) return *options.embedding;
  if (place.role == Role::head && options.head) return *options.head;
  if (options.pure || is_unquantised(mix.base)) return mix.base;
  if (place.role == Role::head) return type_of_head(mix, cols);
  if (mix.base == DType::mxfp4) {
    const bool kept_large = place.role == Role::embedding || (mix.experts_only && !is_stack);
    return kept_large ? DType::q8_0 : mix.base;
  }
  const bool attention = place.role == Role::v || place.role == Role::k || place.role == Role::q;
  const int32_t index = attention ? place.attention_index : place.layer;
  const int32_t n = attention ? traits.n_attentions : traits.n_layers;
  DType type = mix.base;
  for (const Rule& rule : kRules) {
    if (rule.mix == mix.name && rule.role == place.role && is_in(rule.layers, index, n) &&
        holds(rule.when, options, traits)) {
      type = rule.type;
      break;
    }
  }
  return with_more_for_small(type, traits, place.role);
}

DType type_that_divides(DType type, uint64_t cols) {
  const auto divides = [&](DType tried) {
    return cols % tensor::dtype_info(tried).block_weights == 0;
  };
  if (divides(type)) return type;
  DType smaller = DType::f16;
  switch (type) {
    case DType::q2_k:
    case DType::q3_k:
      smaller = DType::q4_0;
      break;
    case DType::q4_k:
      smaller = DType::q5_0;
      break;
    case DType::q5_k:
      smaller = DType::q5_1;
      break;
    case DType::q6_k:
      smaller = DType::q8_0;
      break;
    case DType::iq4_xs:
      smaller = DType::iq4_nl;
      break;
    default:
      break;
  }
  return divides(smaller) ? smaller : DType::f16;
}

}  // namespace strata::modify
