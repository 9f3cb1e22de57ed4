// strata cache list
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "core/os.h"
#include "core/progress.h"
#include "inference/prefix_folder.h"
#include "models/hub/store.h"

namespace strata::app {
namespace {

using Entry = inference::PrefixFolder::Entry;

json::object as_json(const Entry& entry) {
  return {{"model", entry.model},
          {"tokens", entry.n_tokens},
          {"size_bytes", entry.bytes},
          {"last_used", utc_timestamp(entry.last_use_s)}};
}

class CacheList : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "cache list",
        .summary = "list what is kept on disk of prompts and answers",
        .description =
            "With the setting cache.disk (\"4GB\") a model that is unloaded leaves there what it "
            "had\n"
            "computed, so that a later request with the same beginning need not compute it again.\n"
            "Whoever can read these files can read the prompts.",
        .options = {{"json", "", "print JSON"}},
        .examples = {{"strata cache list", "models, tokens, sizes, ages"},
                     {"strata cache list --json", "for programs"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    auto entries = inference::PrefixFolder(models::Store()).list();
    for (const Entry& entry : entries) {
      if (!entry.damage.empty()) complain("warning: not used: " + entry.damage);
    }
    std::erase_if(entries, [](const Entry& entry) { return !entry.damage.empty(); });
    if (arguments.has("json")) {
      json::array rows;
      for (const Entry& entry : entries) rows.emplace_back(as_json(entry));
      print_json(json::object{{"prefixes", rows}});
      return 0;
    }
    std::vector<std::vector<std::string>> rows;
    for (const Entry& entry : entries) {
      rows.push_back({entry.model, std::to_string(entry.n_tokens), format_bytes(entry.bytes),
                      human_age(unix_seconds() - entry.last_use_s)});
    }
    print_table({"MODEL", "TOKENS", "SIZE", "LAST USED"}, rows);
    if (rows.empty()) complain("hint: nothing is kept unless cache.disk says how much may be");
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<CacheList>()};

}  // namespace
}  // namespace strata::app
