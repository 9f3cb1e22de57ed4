// strata completion SHELL
#include "app/cli/command.h"
#include "app/cli/help.h"
#include "app/cli/output.h"

namespace strata::app {
namespace {

class Completion : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "completion",
        .summary = "print a completion script for a shell",
        .arguments = {{.name = "SHELL",
                       .help = "bash, zsh or fish",
                       .choices = {"bash", "zsh", "fish"}}},
        .examples = {
            {"strata completion bash > ~/.local/share/bash-completion/completions/strata",
             "for bash, from the next shell on"},
            {"eval \"$(strata completion zsh)\"", "for zsh, in ~/.zshrc"},
            {"strata completion fish > ~/.config/fish/completions/strata.fish", "for fish"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    print(completion_script(arguments.words()[0]));
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<Completion>()};

}  // namespace
}  // namespace strata::app
