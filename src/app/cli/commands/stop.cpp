// strata stop MODEL
#include "api/gateway/backend.h"
#include "app/assembly.h"
#include "app/cli/command.h"
#include "app/cli/load_config.h"
#include "app/cli/output.h"
#include "core/error.h"

namespace strata::app {
namespace {

class Stop : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "stop",
        .summary = "unload a model from the server's memory",
        .arguments = {{"MODEL", "a name from strata ps", true, false, ArgumentSpec::Kind::model}},
        .examples = {{"strata stop smollm2:135m", "its running answers end first"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const auto backend = require_server(load_config(arguments));
    const std::string& model = arguments.words()[0];
    if (!backend->unload(model)) {
      throw Error(Code::not_found, fmt::format("'{}' is not loaded", model), "see: strata ps");
    }
    complain("stopped " + model);
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<Stop>()};

}  // namespace
}  // namespace strata::app
