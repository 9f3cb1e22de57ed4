// strata prompt rm NAME
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "app/cli/prompts.h"

namespace strata::app {
namespace {

class PromptRm : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{.name = "prompt rm",
                                  .summary = "delete a prompt with all its versions",
                                  .arguments = {{"NAME", "a prompt from strata prompt list"}},
                                  .examples = {{"strata prompt rm greeting", "its labels go too"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    open_prompts().remove(arguments.words()[0]);
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<PromptRm>()};

}  // namespace
}  // namespace strata::app
