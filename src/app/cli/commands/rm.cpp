// strata rm MODEL…
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "inference/model_caches.h"
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
      const inference::ModelCaches caches(store, full);
      store.remove(name);
      caches.remove();
      complain("removed " + full);
    }
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<Remove>()};

}  // namespace
}  // namespace strata::app
