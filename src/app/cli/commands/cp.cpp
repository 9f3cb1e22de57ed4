// strata cp FROM TO
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "models/hub/store.h"

namespace strata::app {
namespace {

class Copy : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "cp",
        .summary = "give a model a second name",
        .description = "No weights are copied: both names stand for the same file.",
        .arguments = {{"FROM", "a name from strata list", true, false, ArgumentSpec::Kind::model},
                      {"TO", "the new name"}},
        .examples = {{"strata cp smollm2:135m helper", "then: strata run helper"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    models::Store().copy(arguments.words()[0], arguments.words()[1]);
    complain(fmt::format("copied {} to {}", arguments.words()[0], arguments.words()[1]));
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<Copy>()};

}  // namespace
}  // namespace strata::app
