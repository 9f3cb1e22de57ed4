#include "api/request.h"

#include "api/limits.h"

namespace strata::api {
namespace {

template <typename T>
void put(const std::optional<T>& given, T& target) {
  if (given) target = *given;
}

}  // namespace

models::TemplateLimits request_template_limits() {
  models::TemplateLimits limits;
  limits.max_source_bytes = kMaxRequestTemplateBytes;
  limits.max_steps = kMaxRequestTemplateSteps;
  limits.max_output_bytes = kMaxRequestTemplateOutput;
  limits.max_memory_bytes = kMaxRequestTemplateMemory;
  return limits;
}

inference::SamplerParams apply(const SamplingOptions& o, inference::SamplerParams p) {
  put(o.temperature, p.temperature);
  put(o.top_k, p.top_k);
  put(o.top_p, p.top_p);
  put(o.min_p, p.min_p);
  put(o.typical_p, p.typical_p);
  put(o.top_n_sigma, p.top_n_sigma);
  put(o.xtc_probability, p.xtc_probability);
  put(o.xtc_threshold, p.xtc_threshold);
  put(o.repeat_last_n, p.repeat_last_n);
  put(o.repeat_penalty, p.repeat_penalty);
  put(o.presence_penalty, p.presence_penalty);
  put(o.frequency_penalty, p.frequency_penalty);
  put(o.dry_multiplier, p.dry_multiplier);
  put(o.dry_base, p.dry_base);
  put(o.dry_allowed_length, p.dry_allowed_length);
  put(o.dry_penalty_last_n, p.dry_penalty_last_n);
  put(o.dry_sequence_breakers, p.dry_sequence_breakers);
  put(o.mirostat, p.mirostat);
  put(o.mirostat_tau, p.mirostat_tau);
  put(o.mirostat_eta, p.mirostat_eta);
  put(o.seed, p.seed);
  for (const auto& [id, bias] : o.logit_bias) p.logit_bias[id] = bias;
  return p;
}

}  // namespace strata::api
