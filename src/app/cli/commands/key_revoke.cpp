// strata key revoke KEY…
#include "app/cli/command.h"
#include "app/cli/keys.h"
#include "app/cli/output.h"
#include "core/os.h"

namespace strata::app {
namespace {

class KeyRevoke : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "key revoke",
        .summary = "make keys useless from now on",
        .description = "A running server refuses the key from its next request on.",
        .arguments = {{"KEY", "an ID from strata key list, or a name that one key has", true,
                       true}},
        .examples = {{"strata key revoke 1f2e3d4c", "by ID"},
                     {"strata key revoke laptop", "by name"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    auto keys = open_keys();
    for (const auto& word : arguments.words()) {
      keys.revoke(word, unix_seconds());
      complain("revoked " + word);
    }
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<KeyRevoke>()};

}  // namespace
}  // namespace strata::app
