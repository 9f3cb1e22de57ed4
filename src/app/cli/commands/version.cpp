// strata version
#include "core/version.h"

#include "app/cli/command.h"
#include "app/cli/output.h"

namespace strata::app {
namespace {

class Version : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{.name = "version",
                                  .summary = "print the program's version",
                                  .options = {{"json", "", "print JSON"}},
                                  .examples = {{"strata version --json", "for programs"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    if (arguments.has("json"))
      print_json(json::object{{"version", version()}});
    else
      print(fmt::format("strata {}\n", version()));
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<Version>()};

}  // namespace
}  // namespace strata::app
