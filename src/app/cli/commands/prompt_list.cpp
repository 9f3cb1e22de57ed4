// strata prompt list
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "app/cli/prompts.h"
#include "core/os.h"

namespace strata::app {
namespace {

class PromptList : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "prompt list",
        .summary = "list the prompts of the registry",
        .options = {{"json", "", "print JSON"}},
        .examples = {{"strata prompt list", "names, versions and labels"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const auto prompts = open_prompts().list();
    if (arguments.has("json")) {
      json::array rows;
      for (const auto& prompt : prompts) rows.emplace_back(api::as_json(prompt));
      print_json(json::object{{"prompts", rows}});
      return 0;
    }
    const int64_t now = unix_seconds();
    std::vector<std::vector<std::string>> rows;
    for (const auto& prompt : prompts) {
      std::string labels;
      for (const auto& label : prompt.labels) {
        labels += (labels.empty() ? "" : ", ") + label_text(label);
      }
      rows.push_back(
          {prompt.name, fmt::format("{}", prompt.latest), labels, human_age(now - prompt.changed)});
    }
    print_table({"NAME", "VERSIONS", "LABELS", "CHANGED"}, rows);
    if (rows.empty()) complain("hint: put one there: strata prompt put NAME FILE");
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<PromptList>()};

}  // namespace
}  // namespace strata::app
