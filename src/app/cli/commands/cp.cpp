// strata cp FROM TO
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "core/error.h"
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
        .options = {{"force", "", "replace the model that has the new name"}},
        .examples = {{"strata cp smollm2:135m helper", "then: strata run helper"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const models::Store store;
    const std::string& from = arguments.words()[0];
    const std::string to = models::parse_model_name(arguments.words()[1]).full();
    if (store.has(to) && !arguments.has("force")) {
      throw Error(Code::already_exists, fmt::format("there is a model '{}' already", to),
                  fmt::format("choose another name, or replace it: strata cp {} {} --force", from,
                              arguments.words()[1]));
    }
    store.copy(from, to);
    complain(fmt::format("copied {} to {}", store.resolve(from).full(), to));
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<Copy>()};

}  // namespace
}  // namespace strata::app
