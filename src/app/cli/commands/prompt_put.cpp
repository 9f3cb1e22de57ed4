// strata prompt put NAME FILE
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "app/cli/pipe.h"
#include "app/cli/prompts.h"
#include "core/os.h"
#include "core/yaml.h"

namespace strata::app {
namespace {

json::value read_content(const std::string& file) {
  const std::string text = file == "-" ? read_pipe() : read_file(file, 2 * api::kMaxPromptBytes);
  if (file.ends_with(".json")) return parse_json(text);
  if (file.ends_with(".yaml") || file.ends_with(".yml")) return parse_yaml(text);
  return json::object{{"text", text}};
}

class PromptPut : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "prompt put",
        .summary = "add a version of a prompt",
        .description =
            "FILE is a text, which becomes the system message, or, ending in .json or .yaml, has "
            "messages (or\n"
            "text), variables and settings. {{name}} in a message is where a variable stands. What "
            "is there\n"
            "already is not added twice.",
        .arguments = {{"NAME", "what to call it"},
                      {"FILE", "the prompt; - reads standard input", true, false,
                       ArgumentSpec::Kind::file}},
        .options = {{"note", "TEXT", "why it is made"},
                    {"label", "LABEL", "point this label at it"},
                    {"json", "", "print JSON"}},
        .examples = {
            {"strata prompt put greeting greeting.txt --label production", "a text in use at once"},
            {"strata prompt put triage triage.yaml --note 'shorter answers'",
             "with variables and settings"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const std::string& name = arguments.words()[0];
    const auto content = api::parse_prompt(read_content(arguments.words()[1]));
    api::PromptRegistry prompts = open_prompts();
    const int64_t now = unix_seconds();
    const auto version = prompts.put(
        name, content, {.note = arguments.value("note").value_or(""), .author = ""}, now);
    if (const auto label = arguments.value("label")) {
      prompts.set_label(name, *label, version.number, std::nullopt, 0, now);
    }
    if (arguments.has("json")) {
      print_json(api::as_json(version));
      return 0;
    }
    complain(fmt::format("{} version {}{}", name, version.number,
                         version.created < now ? ", which was there already" : ""));
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<PromptPut>()};

}  // namespace
}  // namespace strata::app
