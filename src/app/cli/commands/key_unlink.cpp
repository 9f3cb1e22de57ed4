// strata key unlink
#include "app/cli/command.h"
#include "app/cli/keys.h"
#include "app/cli/output.h"

namespace strata::app {
namespace {

class KeyUnlink : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "key unlink",
        .summary = "make all links useless that were not opened yet",
        .description = "Keys that links have made already stay: strata key revoke ends them.",
        .options = {{"json", "", "print JSON"}},
        .examples = {{"strata key unlink", "a link has gone to somebody else"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const int64_t n = open_keys().end_invitations();
    if (arguments.has("json"))
      print_json({{"ended", n}});
    else
      complain(fmt::format("{} links ended", n));
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<KeyUnlink>()};

}  // namespace
}  // namespace strata::app
