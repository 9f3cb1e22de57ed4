// strata prompt render NAME [VARIABLE=VALUE]…
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "app/cli/prompts.h"
#include "core/error.h"

namespace strata::app {
namespace {

class PromptRender : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "prompt render",
        .summary = "fill in a prompt's variables",
        .arguments = {{"NAME", "a prompt from strata prompt list"},
                      {"VARIABLE=VALUE", "what stands for {{VARIABLE}}", false, true}},
        .options = {{"version", "V", "a number, a label or latest"},
                    {"caller", "ID", "who asks, for a label with a trial"},
                    {"json", "", "print JSON"}},
        .examples = {
            {"strata prompt render greeting name=Ada", "the text as a model would get it"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const auto& words = arguments.words();
    json::object values;
    for (size_t i = 1; i < words.size(); ++i) {
      const size_t at = words[i].find('=');
      if (at == std::string::npos) {
        throw Error(Code::invalid_argument, fmt::format("'{}' is no VARIABLE=VALUE", words[i]));
      }
      values[words[i].substr(0, at)] = words[i].substr(at + 1);
    }
    const auto version = open_prompts().get(words[0], arguments.value("version").value_or(""),
                                            arguments.value("caller").value_or(""));
    const auto messages = api::render(version.content, values);
    if (arguments.has("json")) {
      print_json(json::object{{"version", version.number},
                              {"messages", api::as_json(messages)},
                              {"settings", version.content.settings}});
      return 0;
    }
    for (const auto& message : messages) {
      print(fmt::format("[{}]\n{}\n", message.role, message.content));
    }
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<PromptRender>()};

}  // namespace
}  // namespace strata::app
