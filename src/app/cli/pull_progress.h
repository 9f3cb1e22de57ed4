// Pulling with progress on stderr, for every command that may have to fetch a model.
#pragma once

#include <string_view>

#include "core/config.h"
#include "models/hub/pull.h"

namespace strata::app {

// Fetches `what` (or finds it there) and shows progress, rate and remaining time on stderr.
// Ctrl-C stops it with Error{cancelled}; what was fetched stays for the next try.
models::PullResult pull_with_progress(const models::Store& store, std::string_view what,
                                      models::PullOptions options, bool quiet = false);

// Options with the network policy of the configuration.
models::PullOptions pull_options(const Config& config);

}  // namespace strata::app
