// strata config show
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "core/config.h"

namespace strata::app {
namespace {

class ConfigShow : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "config show",
        .summary = "print the settings in force",
        .description =
            "Defaults stand under strata.yaml in the configuration folder, that under\n"
            "environment variables, these under flags.",
        .options = {{"origin", "", "say where each value comes from"}, {"json", "", "print JSON"}},
        .examples = {{"strata config show --origin", "every value and where it was set"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const Config config = Config::load();
    if (arguments.has("json")) {
      json::object object;
      for (const auto& setting : settings()) {
        object[setting.key] = json::object{{"value", config.text(setting.key)},
                                           {"origin", config.origin(setting.key)}};
      }
      print_json(object);
      return 0;
    }
    const bool origin = arguments.has("origin");
    std::vector<std::string> header{"SETTING", "VALUE"};
    if (origin) header.emplace_back("ORIGIN");
    header.emplace_back("MEANING");
    std::vector<std::vector<std::string>> rows;
    for (const auto& setting : settings()) {
      std::vector<std::string> row{std::string(setting.key), config.text(setting.key)};
      if (origin) row.push_back(config.origin(setting.key));
      row.emplace_back(setting.help);
      rows.push_back(std::move(row));
    }
    print_table(header, rows);
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<ConfigShow>()};

}  // namespace
}  // namespace strata::app
