// strata cache rm
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "core/error.h"
#include "inference/prefix_folder.h"
#include "models/hub/store.h"

namespace strata::app {
namespace {

class CacheRemove : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "cache rm",
        .summary = "remove what is kept on disk of prompts and answers",
        .description =
            "A model that is in memory writes what it holds when it is unloaded: unload it before "
            "(strata\n"
            "stop MODEL).",
        .arguments = {{"MODEL", "a name from strata cache list", false, true,
                       ArgumentSpec::Kind::model}},
        .options = {{"all", "", "of all models, and damaged files"}},
        .examples = {{"strata cache rm smollm2:135m", "of one model"},
                     {"strata cache rm --all", "everything"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const models::Store store;
    const inference::PrefixFolder folder(store);
    const auto& names = arguments.words();
    if (arguments.has("all") != names.empty()) {
      throw Error(Code::invalid_argument, "name models or say --all, one of the two",
                  "see: strata cache list");
    }
    if (names.empty()) {
      complain(fmt::format("removed {} file(s)", folder.remove_all()));
      return 0;
    }
    for (const auto& name : names) {
      const std::string full = store.resolve(name).full();
      if (!folder.remove(full)) {
        throw Error(Code::not_found, fmt::format("nothing is kept of '{}'", full),
                    "see: strata cache list");
      }
      complain("removed what was kept of " + full);
    }
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<CacheRemove>()};

}  // namespace
}  // namespace strata::app
