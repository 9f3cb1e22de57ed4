#include "inference/sampler_params.h"

#include <cmath>

#include "core/error.h"

namespace strata::inference {
namespace {

void require(bool condition, std::string_view name, double value, std::string_view range) {
  if (condition) return;
  throw Error(Code::invalid_argument, fmt::format("{} is {}, it must be {}", name, value, range));
}

void require_finite(std::string_view name, float value) {
  require(std::isfinite(value), name, value, "a finite number");
}

void require_share(std::string_view name, float value) {
  require(value >= 0.0f && value <= 1.0f, name, value, "from 0 to 1");
}

// Far above every use; keeps mirostat's running surprise a finite number.
constexpr float kMaxMirostat = 1000.0f;
void require_step(const char* name, float value) {
  require(value > 0.0f && value <= kMaxMirostat, name, value,
          fmt::format("above 0 and at most {}", kMaxMirostat));
}

}  // namespace

void validate(const SamplerParams& p, int32_t n_vocab) {
  require_finite("temperature", p.temperature);
  require(p.top_k >= 0, "top_k", p.top_k, "0 (all) or more");
  require_share("top_p", p.top_p);
  require_share("min_p", p.min_p);
  require_share("typical_p", p.typical_p);
  require_finite("top_n_sigma", p.top_n_sigma);
  require_share("xtc_probability", p.xtc_probability);
  require_share("xtc_threshold", p.xtc_threshold);
  require(p.repeat_last_n >= -1, "repeat_last_n", p.repeat_last_n, "-1 (the context) or more");
  require(std::isfinite(p.repeat_penalty) && p.repeat_penalty > 0, "repeat_penalty",
          p.repeat_penalty, "above 0");
  require_finite("presence_penalty", p.presence_penalty);
  require_finite("frequency_penalty", p.frequency_penalty);
  require(std::isfinite(p.dry_multiplier) && p.dry_multiplier >= 0, "dry_multiplier",
          p.dry_multiplier, "0 (off) or more");
  require(std::isfinite(p.dry_base) && p.dry_base >= 1, "dry_base", p.dry_base, "1 or more");
  require(p.dry_allowed_length >= 0, "dry_allowed_length", p.dry_allowed_length, "0 or more");
  require(p.dry_penalty_last_n >= -1, "dry_penalty_last_n", p.dry_penalty_last_n,
          "-1 (the context) or more");
  require(p.dry_sequence_breakers.size() <= kMaxDryBreakers, "dry_sequence_breakers",
          static_cast<double>(p.dry_sequence_breakers.size()),
          fmt::format("at most {} strings", kMaxDryBreakers));
  for (const std::string& breaker : p.dry_sequence_breakers) {
    require(!breaker.empty() && breaker.size() <= kMaxDryBreakerBytes, "dry_sequence_breakers size",
            static_cast<double>(breaker.size()),
            fmt::format("from 1 to {} bytes", kMaxDryBreakerBytes));
  }
  require(p.mirostat == 0 || p.mirostat == 2, "mirostat", p.mirostat, "0 (off) or 2");
  require_step("mirostat_tau", p.mirostat_tau);
  require_step("mirostat_eta", p.mirostat_eta);
  for (const auto& [id, bias] : p.logit_bias) {
    require(id >= 0 && id < n_vocab, "logit_bias token", id,
            fmt::format("an id from 0 to {}", n_vocab - 1));
    require(!std::isnan(bias), "logit_bias", bias, "a number");
  }
}

}  // namespace strata::inference
