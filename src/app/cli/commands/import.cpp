// strata import [MODEL…]
#include <unistd.h>

#include "app/cli/command.h"
#include "app/cli/interrupt.h"
#include "app/cli/output.h"
#include "core/error.h"
#include "core/progress.h"
#include "models/hub/ollama_import.h"

namespace strata::app {
namespace {

fs::path folder_from(const Arguments& arguments) {
  const fs::path folder = arguments.value("from").value_or(models::ollama_folder().string());
  if (folder.empty() || !fs::is_directory(folder)) {
    throw Error(Code::not_found,
                folder.empty() ? std::string("there is no folder of Ollama's models here")
                               : fmt::format("{} is no folder", folder.string()),
                "name it: strata import --from FOLDER (what OLLAMA_MODELS says)");
  }
  return folder;
}

void print_found(const std::vector<models::OllamaModel>& found, const fs::path& folder,
                 bool as_json) {
  if (as_json) {
    json::array rows;
    for (const auto& model : found) {
      rows.emplace_back(json::object{{"name", model.name},
                                     {"digest", model.model_sha256},
                                     {"size_bytes", model.model_bytes},
                                     {"unusable", model.unusable}});
    }
    print_json(json::object{{"folder", folder.string()}, {"models", rows}});
    return;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& model : found) {
    rows.push_back({model.name, model.model_sha256.substr(0, 12), format_bytes(model.model_bytes),
                    model.unusable.empty() ? "yes" : "no: " + model.unusable});
  }
  print_table({"NAME", "ID", "SIZE", "CAN BE IMPORTED"}, rows);
  complain(fmt::format("hint: strata import NAME, or --all ({})", folder.string()));
}

models::TakenModel import_one(const models::Store& store, const fs::path& folder,
                              const models::OllamaModel& model, const std::string& as) {
  const Interrupts interrupts;
  ProgressPrinter printer(ProgressPrinter::style_for(STDERR_FILENO, false));
  return models::import_ollama(store, folder, model.name, as, [&](uint64_t done) {
    printer.show("importing " + model.name, done, model.model_bytes);
    return !interrupts.happened();
  });
}

class Import : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "import",
        .summary = "take over models that an Ollama installation has fetched",
        .description =
            "Reads the folder that OLLAMA_MODELS names, else ~/.ollama/models, and never changes "
            "it.\n"
            "Weights are linked where the file system allows it, else copied; parameters, system "
            "text,\n"
            "messages and licences come along; what cannot is named. Without a MODEL it lists what "
            "there is.",
        .arguments = {{"MODEL", "a name as Ollama shows it", false, true}},
        .options = {{"all", "", "every model that can be imported"},
                    {"from", "FOLDER", "another folder"},
                    {"as", "NAME", "call it so here (one MODEL only)"},
                    {"json", "", "print what there is, or what was imported, as JSON"}},
        .examples = {{"strata import", "what there is"},
                     {"strata import llama3.2:1b", "one model"},
                     {"strata import --all", "everything that can be used"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const fs::path folder = folder_from(arguments);
    const auto found = models::list_ollama(folder);
    std::vector<std::string> names = arguments.words();
    if (arguments.has("all")) {
      for (const auto& model : found) {
        if (model.unusable.empty()) names.push_back(model.name);
      }
    }
    if (names.empty() && !arguments.has("all")) {
      print_found(found, folder, arguments.has("json"));
      return 0;
    }
    const std::string as = arguments.value("as").value_or("");
    if (!as.empty() && names.size() != 1) {
      throw Error(Code::invalid_argument,
                  fmt::format("--as names one model, {} are imported", names.size()));
    }
    const models::Store store;
    json::array rows;
    for (const auto& name : names) {
      models::OllamaModel wanted{
          .name = name, .model_sha256 = {}, .model_bytes = 0, .unusable = {}};
      for (const auto& model : found) {
        if (model.name == name || model.name == name + ":latest") wanted = model;
      }
      const auto [manifest, left_out] = import_one(store, folder, wanted, as);
      complain(fmt::format("{} is here ({})", manifest.name, format_bytes(manifest.size_bytes())));
      for (const auto& part : left_out) complain("note: left out: " + part);
      rows.emplace_back(json::object{{"name", manifest.name},
                                     {"digest", manifest.digest()},
                                     {"size_bytes", manifest.size_bytes()},
                                     {"left_out", json::value_from(left_out)}});
    }
    if (arguments.has("json")) print_json(json::object{{"models", rows}});
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<Import>()};

}  // namespace
}  // namespace strata::app
