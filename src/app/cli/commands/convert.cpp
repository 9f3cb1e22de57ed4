// strata convert MODEL [FILE]
#include "app/cli/load_config.h"
#include "app/cli/output.h"
#include "app/cli/rewriting.h"
#include "app/in_range.h"
#include "core/cpu.h"

namespace strata::app {
namespace {

class Convert : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "convert",
        .summary = "write a folder's model as one GGUF file",
        .description =
            "From a folder in Hugging Face's layout (config.json, safetensors, tokenizer.json) to "
            "a "
            "file\n"
            "that every program which reads GGUF takes. Weights keep their type and value; chat "
            "template,\n"
            "tokenizer and licence come along. strata quantize takes folders too.",
        .arguments = {{"MODEL", "a folder, or the name of one in the store", true, false,
                       ArgumentSpec::Kind::file},
                      {"FILE", "where to; NAME-TYPE.gguf here without it", false, false,
                       ArgumentSpec::Kind::file}},
        .options = {{"type", "TYPE", "F32, F16 or BF16 for all matrices; as stored without it"},
                    {"threads", "N",
                     "threads that compute; engine.threads of the settings without it"},
                    {"force", "", "replace FILE when it is there"},
                    {"dry-run", "", "show what would be written"},
                    {"quiet", "", "show no progress", 'q'},
                    {"json", "", "print JSON, with every tensor"}},
        .examples = {{"strata convert ./Llama-3.2-1B", "writes Llama-3.2-1B-BF16.gguf"},
                     {"strata convert ./Llama-3.2-1B llama.gguf --type F16", "in another type"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const int32_t threads = threads_from(arguments, load_config(arguments));
    const auto& words = arguments.words();
    const auto type = arguments.value("type");
    const Rewriting job = prepare_rewriting({.model = words[0],
                                             .mix = type ? &modify::find_mix(*type) : nullptr,
                                             .target = words.size() > 1 ? words[1] : "",
                                             .imatrix = {},
                                             .options = {.pure = true},
                                             .force = arguments.has("force")});
    tell_rewriting(job);
    std::vector<modify::QuantizedTensor> results;
    const bool only_shown = arguments.has("dry-run");
    if (!only_shown) {
      results = write_rewriting(job, arguments, threads > 0 ? threads : usable_cores());
    }
    if (arguments.has("json")) {
      print_json(rewriting_json(job, results, std::nullopt));
    } else if (!only_shown) {
      print_rewriting(job, std::nullopt);
    }
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<Convert>()};

}  // namespace
}  // namespace strata::app
