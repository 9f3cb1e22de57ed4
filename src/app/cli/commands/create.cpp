// strata create NAME -f Modelfile
#include "app/cli/command.h"
#include "app/cli/load_config.h"
#include "app/cli/output.h"
#include "app/cli/pull_progress.h"
#include "core/error.h"
#include "core/os.h"
#include "core/progress.h"
#include "models/hub/modelfile.h"

namespace strata::app {
namespace {

class Create : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "create",
        .summary = "make a model from a Modelfile",
        .description =
            "A Modelfile has FROM (a name, a GGUF file or a source), and may have\n"
            "PARAMETER, SYSTEM, TEMPLATE (Jinja), MESSAGE and LICENSE. A model that has the name\n"
            "is replaced.",
        .arguments = {{"NAME", "what to call it"}},
        .options = {{"file", "FILE", "the Modelfile; ./Modelfile without it", 'f'},
                    {"quiet", "", "show no progress", 'q'}},
        .examples = {{"strata create helper -f Modelfile", "then: strata run helper"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    Config config = load_config(arguments);
    const fs::path path = arguments.value("file").value_or("Modelfile");
    if (!fs::exists(path)) {
      throw Error(Code::not_found, fmt::format("there is no file {}", path.string()),
                  "name the Modelfile: strata create NAME -f FILE");
    }
    const auto modelfile = models::parse_modelfile(read_file(path, models::kMaxModelfileBytes));
    const models::Store store;
    const std::string& name = arguments.words()[0];
    const bool replaced = store.has(models::parse_model_name(name).full());
    models::Manifest manifest;
    with_pull_progress(pull_options(config), arguments.has("quiet"),
                       [&](const models::PullOptions& options) {
                         manifest = models::create_model(store, name, modelfile,
                                                         fs::absolute(path).parent_path(), options);
                       });
    complain(fmt::format("{} {} ({})", replaced ? "replaced" : "created", manifest.name,
                         format_bytes(manifest.size_bytes())));
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<Create>()};

}  // namespace
}  // namespace strata::app
