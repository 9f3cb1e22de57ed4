#include "app/in_range.h"

#include "core/error.h"

namespace strata::app {
namespace {

int32_t checked(int64_t value, const std::string& name, Range range) {
  if (value >= range.low && value <= range.high) return static_cast<int32_t>(value);
  throw Error(Code::invalid_argument, fmt::format("{} is {}, it must be from {} to {}", name, value,
                                                  range.low, range.high));
}

}  // namespace

int32_t setting_in_range(const Config& config, std::string_view key, Range range) {
  return checked(config.integer(key), fmt::format("{} ({})", key, config.origin(key)), range);
}

int32_t option_in_range(const Arguments& arguments, std::string_view option, Range range,
                        int32_t otherwise) {
  const auto value = arguments.integer(option);
  return value ? checked(*value, fmt::format("--{}", option), range) : otherwise;
}

int32_t threads_from(const Arguments& arguments, const Config& config) {
  return option_in_range(arguments, "threads", kThreads,
                         setting_in_range(config, "engine.threads", kThreads));
}

tensor::KvFormat kv_setting(const Config& config) {
  return tensor::kv_format_of(config.text("engine.kv"),
                              fmt::format("engine.kv ({})", config.origin("engine.kv")));
}

tensor::KvFormat kv_from(const Arguments& arguments, const Config& config) {
  const auto value = arguments.value("kv");
  return value ? tensor::kv_format_of(*value, "--kv") : kv_setting(config);
}

}  // namespace strata::app
