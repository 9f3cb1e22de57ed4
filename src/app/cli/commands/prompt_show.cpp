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
            "Without VERSION the one that the label production points at, without that label "
            "the\n"
            "newest. --all lists the versions.",
        .arguments = {{"NAME", "a prompt from strata prompt list"},
                      {"VERSION", "a number, a label or latest", false}},
        .options = {{"version", "V", "the same, as prompt render takes it"},
                    {"all", "", "list all versions"},
                    {"json", "", "print JSON"}},
        .examples = {{"strata prompt show greeting", "the one in production"},
                     {"strata prompt show greeting 2", "an earlier one"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const api::PromptRegistry prompts = open_prompts();
    const auto& words = arguments.words();
    const std::string& name = words[0];
    if (words.size() + arguments.has("version") + arguments.has("all") > 2) {
      throw Error(Code::invalid_argument, "give one VERSION, --version or --all");
    }
    if (arguments.has("all")) {
      print_versions(prompts.versions(name), arguments.has("json"));
      return 0;
    }
    const auto version =
        prompts.get(name, words.size() > 1 ? words[1] : arguments.value("version").value_or(""));
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
