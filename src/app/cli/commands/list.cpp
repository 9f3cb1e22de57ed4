// strata list
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "core/os.h"
#include "core/progress.h"
#include "models/hub/store.h"

namespace strata::app {
namespace {

json::object as_json(const models::Manifest& manifest) {
  return {{"name", manifest.name},
          {"digest", manifest.digest()},
          {"size_bytes", manifest.size_bytes()},
          {"created", utc_timestamp(manifest.created)},
          {"source", manifest.source},
          {"kind", manifest.kind}};
}

class List : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "list",
        .summary = "list the models on this machine",
        .arguments = {{"PREFIX", "only names that begin so", false}},
        .options = {{"json", "", "print JSON"}, {"names", "", "print the names only"}},
        .examples = {{"strata list", "names, sizes, ages"},
                     {"strata list smol", "only names that begin so"},
                     {"strata list --json", "for programs"}},
        .aliases = {"ls"}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const std::string prefix = arguments.words().empty() ? "" : arguments.words()[0];
    std::vector<std::string> damaged;
    auto manifests = models::Store().list(&damaged);
    std::erase_if(manifests, [&](const auto& m) { return !m.name.starts_with(prefix); });
    for (const auto& what : damaged) complain("warning: damaged: " + what);
    if (arguments.has("json")) {
      json::array rows;
      for (const auto& manifest : manifests) rows.emplace_back(as_json(manifest));
      print_json(json::object{{"models", rows}});
    } else if (arguments.has("names")) {
      for (const auto& manifest : manifests) print(manifest.name + "\n");
    } else {
      std::vector<std::vector<std::string>> rows;
      for (const auto& manifest : manifests) {
        rows.push_back({manifest.name, manifest.digest().substr(0, 12),
                        format_bytes(manifest.size_bytes()),
                        human_age(unix_seconds() - manifest.created)});
      }
      print_table({"NAME", "ID", "SIZE", "MODIFIED"}, rows);
      if (rows.empty()) complain("hint: get one: strata pull smollm2:135m");
    }
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<List>()};

}  // namespace
}  // namespace strata::app
