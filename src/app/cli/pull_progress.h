// Pulling with progress on stderr, for every command that may have to fetch a model.
#pragma once

#include <functional>
#include <string>
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

// The same, then quantised to `type` and stored as NAME:TYPE (or options.as); what was fetched for
// it alone is removed again. A model of that name that is there is taken as it is.
models::PullResult pull_quantized(const models::Store& store, std::string_view what,
                                  const std::string& type, const models::PullOptions& options,
                                  int n_threads, bool quiet = false);

// Options with the network policy of the configuration.
models::PullOptions pull_options(const Config& config);

}  // namespace strata::app
