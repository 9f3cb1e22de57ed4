// Values of settings and options, checked before they are used: numbers are never cut in silence.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

#include "app/cli/command.h"
#include "core/config.h"
#include "core/threads.h"
#include "tensor/kv_page.h"

namespace strata::app {

struct Range {
  int32_t low = 0;
  int32_t high = std::numeric_limits<int32_t>::max();
};

constexpr Range kThreads{0, kMaxTeam};  // 0: the cores this process may use

// Error{invalid_argument} with name, origin, value and range when it is outside.
int32_t setting_in_range(const Config& config, std::string_view key, Range range);
// `otherwise` when the option is not given.
int32_t option_in_range(const Arguments& arguments, std::string_view option, Range range,
                        int32_t otherwise);
// --threads, else the setting engine.threads.
int32_t threads_from(const Arguments& arguments, const Config& config);
// The setting engine.kv. Error{invalid_argument} with origin, value and the possible ones.
tensor::KvFormat kv_setting(const Config& config);
// --kv, else the setting engine.kv.
tensor::KvFormat kv_from(const Arguments& arguments, const Config& config);

}  // namespace strata::app
