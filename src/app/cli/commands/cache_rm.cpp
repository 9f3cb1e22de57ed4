// strata cache rm
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "core/error.h"
#include "inference/model_caches.h"
#include "inference/packed_disk.h"
#include "inference/prefix_folder.h"
#include "models/hub/store.h"

namespace strata::app {
namespace {

class CacheRemove : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "cache rm",
        .summary = "remove what is kept on disk of prompts, answers and packed weights",
        .description =
            "A model that is in memory writes what it holds of prompts when it is unloaded: unload "
            "it before\n"
            "(strata stop MODEL). Packed weights are written again when the model is loaded.",
        .arguments = {{"MODEL", "a name from strata cache list", false, true,
                       ArgumentSpec::Kind::model}},
        .options = {{"all", "", "of all models, and damaged files"}},
        .examples = {{"strata cache rm smollm2:135m", "of one model"},
                     {"strata cache rm --all", "everything"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const models::Store store;
    const auto& names = arguments.words();
    if (arguments.has("all") != names.empty()) {
      throw Error(Code::invalid_argument, "name models or say --all, one of the two",
                  "see: strata cache list");
    }
    if (names.empty()) {
      const size_t n =
          inference::PrefixFolder(store).remove_all() + inference::PackedFolder(store).remove_all();
      complain(fmt::format("removed {} file(s)", n));
      return 0;
    }
    for (const auto& name : names) {
      const std::string full = store.resolve(name).full();
      if (!inference::ModelCaches(store, full).remove()) {
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
