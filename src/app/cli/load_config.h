// The settings of a command: file, environment, then the options that every command takes.
#pragma once

#include "app/cli/command.h"
#include "core/config.h"

namespace strata::app {

// Error{invalid_argument} as Config::load(), with the file's name also where it is no YAML.
Config load_config(const Arguments& arguments);

}  // namespace strata::app
