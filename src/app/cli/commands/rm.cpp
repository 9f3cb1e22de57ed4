// strata rm MODEL…
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "inference/prefix_folder.h"
#include "models/hub/store.h"

namespace strata::app {
namespace {

class Remove : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "rm",
        .summary = "remove models from this machine",
        .description = "Weights that another name stands for stay.",
        .arguments = {{"MODEL", "a name from strata list", true, true, ArgumentSpec::Kind::model}},
        .examples = {{"strata rm gemma3:270m", "one name"}, {"strata rm helper other", "several"}},
        .aliases = {"remove"}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const models::Store store;
    for (const auto& name : arguments.words()) {
      const std::string full = store.resolve(name).full();
      store.remove(name);
      inference::PrefixFolder(store).remove(full);  // its prompts go with it
      complain("removed " + full);
    }
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<Remove>()};

}  // namespace
}  // namespace strata::app
