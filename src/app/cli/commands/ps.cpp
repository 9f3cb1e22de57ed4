// strata ps
#include "app/assembly.h"
#include "app/cli/command.h"
#include "app/cli/load_config.h"
#include "app/cli/output.h"
#include "core/error.h"
#include "core/os.h"
#include "core/progress.h"

namespace strata::app {
namespace {

std::string until(const api::RunningModel& model) {
  if (model.loading) return "loading";
  if (!model.idle_until_ms) return model.running > 0 ? "working" : "for ever";
  return human_age(unix_seconds() - *model.idle_until_ms / 1000);
}

// null: for ever, or while it works.
json::value until_json(const api::RunningModel& model) {
  if (!model.idle_until_ms) return nullptr;
  return json::string(utc_timestamp(*model.idle_until_ms / 1000));
}

class ListRunning : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{.name = "ps",
                                  .summary = "list the models that the server has loaded",
                                  .options = {{"json", "", "print JSON"}},
                                  .examples = {{"strata ps", "sizes, contexts, until when"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const auto backend = require_server(load_config(arguments));
    const auto models = backend->running();
    if (arguments.has("json")) {
      json::array rows;
      for (const auto& model : models) {
        rows.emplace_back(json::object{{"name", model.card.name},
                                       {"digest", model.card.digest},
                                       {"memory_bytes", model.memory_bytes},
                                       {"context", model.context},
                                       {"running", model.running},
                                       {"queued", model.queued},
                                       {"loading", model.loading},
                                       {"until", until_json(model)}});
      }
      print_json(json::object{{"models", rows}});
      return 0;
    }
    std::vector<std::vector<std::string>> rows;
    for (const auto& model : models) {
      rows.push_back({model.card.name, model.card.digest.substr(0, 12),
                      format_bytes(static_cast<uint64_t>(model.memory_bytes)), "100% CPU",
                      std::to_string(model.context), until(model)});
    }
    print_table({"NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"}, rows);
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<ListRunning>()};

}  // namespace
}  // namespace strata::app
