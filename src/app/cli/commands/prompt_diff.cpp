// strata prompt diff NAME FROM [TO]
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "app/cli/prompts.h"

namespace strata::app {
namespace {

class PromptDiff : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "prompt diff",
        .summary = "show what changed between two versions",
        .arguments = {{"NAME", "a prompt from strata prompt list"},
                      {"FROM", "a number or a label"},
                      {"TO", "a number or a label; the newest without it", false}},
        .options = {{"json", "", "print JSON"}},
        .examples = {{"strata prompt diff greeting production",
                      "what the newest has that production has not"},
                     {"strata prompt diff greeting 1 2", "between two versions"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const api::PromptRegistry prompts = open_prompts();
    const auto& words = arguments.words();
    const auto from = prompts.get(words[0], words[1]);
    const auto to = prompts.get(words[0], words.size() > 2 ? words[2] : "latest");
    const std::string diff = api::line_diff(api::as_text(from.content), api::as_text(to.content));
    if (arguments.has("json")) {
      print_json(json::object{{"from", from.number}, {"to", to.number}, {"diff", diff}});
      return 0;
    }
    print(diff);
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<PromptDiff>()};

}  // namespace
}  // namespace strata::app
