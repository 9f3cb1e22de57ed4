#include "api/dialect/timings.h"

namespace strata::api {

void put_speed(json::object& timings, std::string_view name, int32_t n, int64_t ns) {
  const std::string what(name);
  const double ms = static_cast<double>(ns) / 1e6;
  timings[what + "_n"] = n;
  timings[what + "_ms"] = ms;
  timings[what + "_per_token_ms"] = n > 0 ? ms / n : 0.0;
  timings[what + "_per_second"] = ns > 0 ? n * 1e9 / static_cast<double>(ns) : 0.0;
}

json::object timings_json(const inference::Usage& usage) {
  json::object timings{{"cache_n", usage.cached_tokens}};
  put_speed(timings, "prompt", usage.prompt_tokens - usage.cached_tokens, usage.prompt_ns);
  put_speed(timings, "predicted", usage.completion_tokens, usage.completion_ns);
  return timings;
}

}  // namespace strata::api
