// Pulling with progress on stderr, for every command that may have to fetch a model.
#pragma once

#include <functional>
#include <string_view>

#include "core/config.h"
#include "models/hub/pull.h"

namespace strata::app {

// Runs `work`, which fetches, with options that show progress, rate and remaining time on stderr
// and name the sources that are passed over. Ctrl-C stops it with Error{cancelled}; what was
// fetched stays for the next try.
void with_pull_progress(models::PullOptions options, bool quiet,
                        const std::function<void(const models::PullOptions&)>& work);

// Fetches `what` into the store (or finds it there) in that way.
models::PullResult pull_with_progress(const models::Store& store, std::string_view what,
                                      const models::PullOptions& options, bool quiet = false);

// Options with the network policy of the configuration.
models::PullOptions pull_options(const Config& config);

}  // namespace strata::app
