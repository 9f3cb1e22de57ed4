// strata prompt label NAME LABEL VERSION
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "app/cli/prompts.h"
#include "core/error.h"
#include "core/os.h"

namespace strata::app {
namespace {

class PromptLabel : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "prompt label",
        .summary = "point a label at a version",
        .description =
            "Callers ask for a label and get the version that it points at. With --trial and "
            "--percent a share\n"
            "of the callers gets another version, each caller always the same one.",
        .arguments = {{"NAME", "a prompt from strata prompt list"},
                      {"LABEL", "production, staging, …"},
                      {"VERSION", "a number or latest; none with --remove", false}},
        .options = {{"trial", "V", "the version that some callers get"},
                    {"percent", "N", "how many of a hundred; 10 without it"},
                    {"remove", "", "take the label away"},
                    {"json", "", "print JSON"}},
        .examples = {{"strata prompt label greeting production 3", "put version 3 into production"},
                     {"strata prompt label greeting production 3 --trial 4 --percent 10",
                      "a tenth of the callers get version 4"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    api::PromptRegistry prompts = open_prompts();
    const auto& words = arguments.words();
    if (arguments.has("remove") == (words.size() == 3)) {
      throw Error(Code::invalid_argument,
                  "a label is set to a VERSION or taken away with --remove");
    }
    if (arguments.has("remove")) {
      prompts.remove_label(words[0], words[1]);
      return 0;
    }
    std::optional<int64_t> trial;
    int64_t percent = 0;
    if (const auto version = arguments.value("trial")) {
      trial = prompts.get(words[0], *version).number;
      percent = std::clamp<int64_t>(arguments.integer("percent").value_or(10), -1, 101);
    }
    const auto label = prompts.set_label(words[0], words[1], prompts.get(words[0], words[2]).number,
                                         trial, static_cast<int32_t>(percent), unix_seconds());
    if (arguments.has("json")) {
      print_json(api::as_json(label));
      return 0;
    }
    complain(fmt::format("{}: {}", words[0], label_text(label)));
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<PromptLabel>()};

}  // namespace
}  // namespace strata::app
