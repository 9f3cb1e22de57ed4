// Rotary positions of a file: partial, stretched, or with YaRN.
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "models/family/limits.h"
#include "models/family/refuse.h"
#include "models/family/spec_builder.h"

namespace strata::models {
namespace {

constexpr std::string_view kShortFactors = "rope_factors_short.weight";
constexpr std::string_view kLongFactors = "rope_factors_long.weight";

}  // namespace

void SpecBuilder::scale_positions(Rope& rope) {
  // Files from before 2023-09 say rope.scale_linear; without a type a factor means linear.
  const std::string type(file_.text(key("rope.scaling.type")).value_or("linear"));
  if (has(kShortFactors)) return scale_by_factors(rope);
  if (const float factor = number_or(kDynamicFactor, 0.0f); factor != 0.0f) {
    return grow_base(rope, factor);
  }
  if (type != "none" && type != "linear" && type != "yarn") {
    throw Error(
        Code::unimplemented,
        fmt::format("the model stretches positions by '{}', which is not supported yet", type),
        "choose another model of this family");
  }
  const float factor = type == "none"
                           ? 0.0f
                           : number_or("rope.scaling.factor", number_or("rope.scale_linear", 1.0f));
  if (type != "yarn" || factor == 0.0f) {
    refuse_unless(kYarnMagnitude, 1);
    refuse_unless(kYarnFactor, 1);
  }
  if (factor == 0.0f) return;
  if (!(factor > 0)) refuse(fmt::format("{} is {}", key("rope.scaling.factor"), factor));
  rope.position_scale = 1.0f / factor;
  if (type == "yarn") rope.yarn = yarn(factor);
}

// LongRoPE (https://arxiv.org/abs/2402.13753) has one set of divisors for sequences within the
// first context and another for longer ones, with which all positions of a sequence are computed.
void SpecBuilder::scale_by_factors(Rope& rope) {
  const int32_t first = count("rope.scaling.original_context_length", 2, kMaxContext);
  rope.frequency_divisors = vector(std::string(kShortFactors), rope.n_dims / 2);
  rope.long_divisors = vector(std::string(kLongFactors), rope.n_dims / 2);
  if (first < spec.n_context) spec.short_context = first;
  rope.yarn.magnitude = number_or(kYarnFactor, 1.0f);
  if (!(rope.yarn.magnitude > 0)) {
    refuse(fmt::format("{} is {}", key(kYarnFactor), rope.yarn.magnitude));
  }
}

void SpecBuilder::grow_base(Rope& rope, float factor) {
  if (!(factor > 0) || rope.n_dims < 4 || has("rope_freqs.weight")) {
    refuse(fmt::format("{} is {}, for {} rotated dimensions{}", key(kDynamicFactor), factor,
                       rope.n_dims, has("rope_freqs.weight") ? " with divisors" : ""));
  }
  rope.growth = {factor, count("rope.scaling.original_context_length", 2, kMaxContext)};
  if (rope.growth.first_context < spec.n_context) spec.growing_from = rope.growth.first_context;
}

Yarn SpecBuilder::yarn(float factor) const {
  Yarn yarn;
  yarn.first_context =
      count_or("rope.scaling.original_context_length", spec.n_context, 1, kMaxContext);
  yarn.beta_fast = number_or("rope.scaling.yarn_beta_fast", yarn.beta_fast);
  yarn.beta_slow = number_or("rope.scaling.yarn_beta_slow", yarn.beta_slow);
  if (!(yarn.beta_slow > 0) || !(yarn.beta_fast > yarn.beta_slow)) {
    refuse(fmt::format("{} is {} and {} is {}", key("rope.scaling.yarn_beta_fast"), yarn.beta_fast,
                       key("rope.scaling.yarn_beta_slow"), yarn.beta_slow));
  }
  yarn.magnitude = magnitude(factor);
  yarn.whole_pairs = file_.boolean(key(kYarnTruncate)).value_or(true);
  return yarn;
}

// YaRN's own is the paper's, or none where the file has a multiplier for scores instead.
// kYarnFactor multiplies it, as in llama.cpp; the published files of OLMo 3 have its own one there,
// which is meant as the whole. kYarnMagnitude is the whole one where it is not 1.
float SpecBuilder::magnitude(float factor) const {
  const bool in_scores = number_or("rope.scaling.yarn_log_multiplier", 0.0f) != 0.0f;
  const float own = factor > 1 && !in_scores ? 1.0f + 0.1f * std::log(factor) : 1.0f;
  const float times = number_or(kYarnFactor, 1.0f);
  const float whole = number_or(kYarnMagnitude, 1.0f);
  if (!(times > 0)) refuse(fmt::format("{} is {}", key(kYarnFactor), times));
  if (!(whole > 0)) refuse(fmt::format("{} is {}", key(kYarnMagnitude), whole));
  if (whole != 1.0f) {
    refuse_unless(kYarnFactor, 1);
    return whole;
  }
  return std::abs(times - own) <= kSameMagnitude ? own : times * own;
}

Rope SpecBuilder::rope(RopeKind kind, int32_t head_dim) {
  Rope rope;
  rope.kind = kind;
  if (kind == RopeKind::none) return rope;
  rope.n_dims = count_or("rope.dimension_count", head_dim, 2, kMaxHeadDim);
  if (rope.n_dims > head_dim || rope.n_dims % 2 != 0) {
    refuse(fmt::format("{} is {}, for heads of {} it must be even and at most that",
                       key("rope.dimension_count"), rope.n_dims, head_dim));
  }
  rope.base = number_or("rope.freq_base", 10000.0f);
  if (!(rope.base > 0)) refuse(fmt::format("{} is {}", key("rope.freq_base"), rope.base));
  scale_positions(rope);
  if (has("rope_freqs.weight")) {
    rope.frequency_divisors = vector("rope_freqs.weight", rope.n_dims / 2);
  }
  return rope;
}

}  // namespace strata::models
