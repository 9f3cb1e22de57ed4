// How the settings that an answer is made with are told in llama.cpp's interface.
#include "api/dialect/llamacpp/llamacpp.h"
#include "api/dialect/samplers.h"

namespace strata::api::llamacpp {

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
