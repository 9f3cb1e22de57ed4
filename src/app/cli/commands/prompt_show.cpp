// strata prompt show NAME
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "app/cli/prompts.h"
#include "core/os.h"

namespace strata::app {
namespace {

void print_versions(const std::vector<api::PromptVersion>& versions, bool as_json) {
  if (as_json) {
    json::array rows;
    for (const auto& version : versions) rows.emplace_back(api::as_json(version, false));
    print_json(json::object{{"versions", rows}});
    return;
  }
  const int64_t now = unix_seconds();
  std::vector<std::vector<std::string>> rows;
  for (const auto& version : versions) {
    rows.push_back({fmt::format("{}", version.number), version.hash.substr(0, 12),
                    human_age(now - version.created), version.author, version.note});
  }
  print_table({"VERSION", "HASH", "MADE", "BY KEY", "NOTE"}, rows);
}

class PromptShow : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "prompt show",
        .summary = "print a version of a prompt",
        .description =
            "Without --version the version that the label production points at, without that label "
            "the\n"
            "newest. --all lists the versions.",
        .arguments = {{"NAME", "a prompt from strata prompt list"}},
        .options = {{"version", "V", "a number, a label or latest"},
                    {"all", "", "list all versions"},
                    {"json", "", "print JSON"}},
        .examples = {{"strata prompt show greeting", "the one in production"},
                     {"strata prompt show greeting --version 2", "an earlier one"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const api::PromptRegistry prompts = open_prompts();
    const std::string& name = arguments.words()[0];
    if (arguments.has("all")) {
      print_versions(prompts.versions(name), arguments.has("json"));
      return 0;
    }
    const auto version = prompts.get(name, arguments.value("version").value_or(""));
    if (arguments.has("json")) {
      print_json(api::as_json(version));
      return 0;
    }
    complain(
        fmt::format("{} version {}, {}", version.name, version.number, version.hash.substr(0, 12)));
    print(api::as_text(version.content));
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<PromptShow>()};

}  // namespace
}  // namespace strata::app
