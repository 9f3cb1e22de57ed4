// strata imatrix MODEL TEXT
#include <unistd.h>

#include "app/cli/command.h"
#include "app/cli/interrupt.h"
#include "app/cli/load_config.h"
#include "app/cli/measuring.h"
#include "app/cli/model_file.h"
#include "app/cli/output.h"
#include "app/in_range.h"
#include "core/cpu.h"
#include "core/error.h"
#include "core/made_folders.h"
#include "core/os.h"
#include "core/progress.h"
#include "inference/engine.h"
#include "modify/collect_importance.h"

namespace strata::app {
namespace {

// Long work must not end at a place that can't be written: Error with the target's name.
// Folders made for it go away with what is returned, unless it is written.
std::unique_ptr<const MadeFolders> require_place(const fs::path& target) {
  const fs::path folder = fs::absolute(target).parent_path();
  const fs::path probe = folder / fmt::format("{}place-{}", kTemporaryPrefix, getpid());
  try {
    auto made = std::make_unique<const MadeFolders>(folder);
    File::open(probe, File::Mode::append);
    remove_durably(probe);
    return made;
  } catch (const Error& error) {
    throw Error(error.code(),
                fmt::format("{} can't be written: {}", target.string(), error.message()),
                "name another file, in a folder that you may write to");
  }
}

class Imatrix : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "imatrix",
        .summary = "measure which columns of a model's matrices a text uses",
        .description =
            "Runs the text through the model and keeps the mean square of every column's "
            "activations:\n"
            "an importance matrix, in llama.cpp's GGUF format, for strata quantize --imatrix. "
            "Texts of the\n"
            "kind that the model will be used for serve best; 100 chunks are plenty. The float32 "
            "executor\n"
            "reads them: a small model takes minutes, a large one hours.",
        .arguments = {{"MODEL", "a name, a .gguf file or a folder", true, false,
                       ArgumentSpec::Kind::model},
                      {"TEXT", "a text file", true, false, ArgumentSpec::Kind::file},
                      {"FILE", "where to; imatrix.gguf without it", false, false,
                       ArgumentSpec::Kind::file}},
        .options = {{"context", "N",
                     "tokens in a chunk; 512 without it, or the model's positions"
                     " where those are fewer"},
                    {"chunks", "N", "only the first N chunks; all without it"},
                    {"threads", "N",
                     "threads that compute; engine.threads of the settings without it"},
                    {"force", "", "replace FILE when it is there"},
                    {"quiet", "", "show no progress", 'q'},
                    {"json", "", "print JSON"}},
        .examples = {
            {"strata imatrix model-f16.gguf texts.txt", "writes imatrix.gguf"},
            {"strata quantize model-f16.gguf IQ4_XS --imatrix imatrix.gguf", "what it is for"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const auto& words = arguments.words();
    const fs::path target = words.size() > 2 ? fs::path(words[2]) : fs::path("imatrix.gguf");
    if (fs::exists(target) && !arguments.has("force")) {
      throw Error(Code::already_exists, fmt::format("{} is there already", target.string()),
                  "--force replaces it, another name keeps it");
    }
    const std::string text = read_file(words[1]);
    const int32_t threads = threads_from(arguments, load_config(arguments));
    modify::CollectOptions options;
    options.max_chunks = option_in_range(arguments, "chunks", {1}, 0);
    options.n_threads = threads > 0 ? threads : usable_cores();
    const auto model = open_named_model(words[0]);
    inference::refuse_reader(*model, "importances are");
    options.context = chunk_from(arguments, *model);
    require_memory(model->name, " as float32", float32_bytes(*model),
                   "measure on a machine with more memory, or quantise without --imatrix");
    const auto place = require_place(target);
    const ChunkedText chunked = chunk_text(*model, text, options.context);
    options.bos = chunked.bos;
    auto result = collect(model, chunked.tokens, options, arguments.has("quiet"));
    result.texts = {words[1]};
    modify::write_importance(target, result);
    const json::object report{{"file", target.string()},
                              {"matrices", result.entries.size()},
                              {"chunks", result.n_chunks},
                              {"tokens", uint64_t{result.n_chunks} * result.chunk_tokens}};
    if (arguments.has("json")) {
      print_json(report);
    } else {
      print(fmt::format("{}: {} matrices over {} tokens\n", target.string(), result.entries.size(),
                        uint64_t{result.n_chunks} * result.chunk_tokens));
    }
    return 0;
  }

 private:
  static modify::Importance collect(const std::shared_ptr<const models::Model>& model,
                                    const std::vector<int32_t>& tokens,
                                    modify::CollectOptions options, bool quiet) {
    const Interrupts interrupts;
    ProgressPrinter printer(ProgressPrinter::style_for(STDERR_FILENO, quiet));
    options.progress = [&](int64_t done, int64_t total) {
      printer.show(model->name, static_cast<uint64_t>(done), static_cast<uint64_t>(total),
                   "tokens");
      return !interrupts.happened();
    };
    return modify::collect_importance(model, tokens, options);
  }
};

const Registered<Command> registered{std::make_unique<Imatrix>()};

}  // namespace
}  // namespace strata::app
