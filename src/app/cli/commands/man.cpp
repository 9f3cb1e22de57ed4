// strata man [COMMAND…] | strata man --write FOLDER
#include <algorithm>

#include "app/cli/command.h"
#include "app/cli/help.h"
#include "app/cli/output.h"
#include "core/os.h"

namespace strata::app {
namespace {

class Man : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "man",
        .summary = "print a manual page, or write them all",
        .arguments = {{"COMMAND", "the command; without it the overview", false, true}},
        .options = {{"write", "FOLDER", "write every page into this folder"}},
        .examples = {{"strata man run | man -l -", "read the page of run"},
                     {"strata man --write ~/.local/share/man/man1", "install the pages"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    if (const auto folder = arguments.value("write")) {
      write_file_atomic(fs::path(*folder) / "strata.1", man_overview());
      for (const Command* command : all_commands()) {
        std::string name = "strata-" + std::string(command->spec().name) + ".1";
        std::replace(name.begin(), name.end(), ' ', '-');
        write_file_atomic(fs::path(*folder) / name, man_page(command->spec()));
      }
    } else if (arguments.words().empty()) {
      print(man_overview());
    } else {
      print(man_page(find_command(arguments.words()).first->spec()));
    }
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<Man>()};

}  // namespace
}  // namespace strata::app
