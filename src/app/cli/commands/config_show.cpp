// strata config show
#include "app/assembly.h"
#include "app/cli/command.h"
#include "app/cli/ignored.h"
#include "app/cli/load_config.h"
#include "app/cli/output.h"
#include "core/config.h"
#include "core/error.h"
#include "core/similar.h"

namespace strata::app {
namespace {

// The settings asked for: all, or the one that is named.
std::vector<const Setting*> wanted(const std::vector<std::string>& words) {
  std::vector<const Setting*> rows;
  std::vector<std::string> known;
  for (const auto& setting : settings()) {
    known.emplace_back(setting.key);
    if (words.empty() || words[0] == setting.key) rows.push_back(&setting);
  }
  if (!rows.empty()) return rows;
  const std::string near = did_you_mean(words[0], known);
  throw Error(Code::not_found, fmt::format("there is no setting '{}'", words[0]),
              near.empty() ? "see: strata config show" : near);
}

// What follows from the settings; each is asked for by name only, for scripts.
struct Derived {
  std::string_view key;
  std::string (*text)(const Config&);
};
std::string url_of(const Config& config) {
  return "http://" + server_host(config);
}
constexpr Derived kDerived[]{
    {"server.url", url_of},
    {"server.example",
     [](const Config& config) { return example_call(url_of(config), config.text("model")); }},
};

std::vector<std::string_view> setting_keys() {
  std::vector<std::string_view> keys;
  for (const auto& derived : kDerived) keys.push_back(derived.key);
  for (const auto& setting : settings()) keys.push_back(setting.key);
  return keys;
}

std::vector<std::string> environment_of(const Setting& setting) {
  return {setting.environment.begin(), setting.environment.end()};
}

json::object as_json(const Config& config, const std::vector<const Setting*>& rows) {
  json::object object;
  for (const auto* setting : rows) {
    object[setting->key] = json::object{{"value", config.text(setting->key)},
                                        {"origin", config.origin(setting->key)},
                                        {"environment", json::value_from(environment_of(*setting))},
                                        {"meaning", setting->help}};
  }
  return object;
}

class ConfigShow : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "config show",
        .summary = "print the settings in force",
        .description =
            "Defaults stand under strata.yaml in the configuration folder, that under\n"
            "environment variables, these under flags. With a SETTING only its value is printed;\n"
            "server.url is where clients find the server, server.example a call to try.",
        .arguments = {{.name = "SETTING",
                       .help = "one setting, for example server.host",
                       .required = false,
                       .choices = setting_keys()}},
        .options = {{"origin", "", "say where each value comes from"}, {"json", "", "print JSON"}},
        .examples = {{"strata config show --origin", "every value and where it was set"},
                     {"strata config show server.host", "one value, for scripts"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const Config config = load_config(arguments);
    for (const auto& derived : kDerived) {
      if (arguments.words().empty() || arguments.words()[0] != derived.key) continue;
      print(derived.text(config) + "\n");
      return 0;
    }
    const auto chosen = wanted(arguments.words());
    name_ignored_variables();
    const bool origin = arguments.has("origin");
    if (arguments.has("json")) {
      print_json(as_json(config, chosen));
      return 0;
    }
    if (!arguments.words().empty() && !origin) {
      print(config.text(chosen[0]->key) + "\n");
      return 0;
    }
    std::vector<std::string> header{"SETTING", "VALUE"};
    if (origin) header.emplace_back("ORIGIN");
    header.emplace_back("MEANING");
    std::vector<std::vector<std::string>> rows;
    for (const auto* setting : chosen) {
      std::vector<std::string> row{std::string(setting->key), config.text(setting->key)};
      if (origin) row.push_back(config.origin(setting->key));
      row.emplace_back(setting->help);
      rows.push_back(std::move(row));
    }
    print_table(header, rows);
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<ConfigShow>()};

}  // namespace
}  // namespace strata::app
