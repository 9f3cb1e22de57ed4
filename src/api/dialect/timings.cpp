#include "api/dialect/timings.h"

#include <cmath>
#include <limits>

#include "api/limits.h"

namespace strata::api {
namespace {

void put_speed(json::object& timings, const std::string& what, int32_t n, int64_t ns) {
  const double ms = static_cast<double>(ns) / 1e6;
  timings[what + "_n"] = n;
  timings[what + "_ms"] = ms;
  timings[what + "_per_token_ms"] = n > 0 ? ms / n : 0.0;
  timings[what + "_per_second"] = ns > 0 ? n * 1e9 / static_cast<double>(ns) : 0.0;
}

}  // namespace

json::object timings_json(const inference::Usage& usage) {
  json::object timings{{"cache_n", usage.cached_tokens}};
  put_speed(timings, "prompt", usage.prompt_tokens - usage.cached_tokens, usage.prompt_ns);
  put_speed(timings, "predicted", usage.completion_tokens, usage.completion_ns);
  return timings;
}

int64_t read_time_limit(Fields& fields) {
  constexpr double kAny = std::numeric_limits<double>::infinity();
  const double ms = fields.number("t_max_predict_ms", -kAny, kAny).value_or(0);
  if (std::trunc(ms) != ms) fields.fail("t_max_predict_ms", "must be an integer");
  // Beyond that it is somebody's word for "none".
  return ms > 0 && ms <= kMostWritingMs ? static_cast<int64_t>(ms) : 0;
}

}  // namespace strata::api
