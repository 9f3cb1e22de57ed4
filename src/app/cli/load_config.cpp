#include "app/cli/load_config.h"

#include "core/error.h"
#include "core/log.h"
#include "core/os.h"

namespace strata::app {
namespace {

Config load_named() {
  try {
    return Config::load();
  } catch (const Error& error) {
    const std::string file = (directories().config / "strata.yaml").string();
    if (error.message().find(file) != std::string::npos) throw;
    throw Error(error.code(), fmt::format("{}: {}", file, error.message()), error.hint());
  }
}

}  // namespace

Config load_config(const Arguments& arguments) {
  Config config = load_named();
  if (arguments.has("offline")) config.set("offline", "true", "--offline");
  if (const auto level = arguments.value("log")) config.set("log", *level, "--log");
  set_log_level(parse_log_level(config.text("log")));
  return config;
}

}  // namespace strata::app
