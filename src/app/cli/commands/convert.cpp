// strata convert MODEL [TARGET]
#include <unistd.h>

#include "app/cli/interrupt.h"
#include "app/cli/load_config.h"
#include "app/cli/output.h"
#include "app/cli/rewriting.h"
#include "app/in_range.h"
#include "core/cpu.h"
#include "core/error.h"
#include "core/progress.h"
#include "models/family/family.h"
#include "modify/write_folder.h"

namespace strata::app {
namespace {

// None: as stored. A type in blocks would be one for all matrices, which is no mixture of that
// name.
const modify::Mix* type_from(const Arguments& arguments) {
  const auto name = arguments.value("type");
  if (!name) return nullptr;
  const modify::Mix& mix = modify::find_mix(*name);
  if (tensor::dtype_info(mix.base).block_weights == 1) return &mix;
  throw Error(
      Code::invalid_argument, fmt::format("--type {} is not F32, F16 or BF16", *name),
      fmt::format("smaller weights: strata quantize {} {}", arguments.words()[0], mix.name));
}

modify::FolderOptions folder_options(const Arguments& arguments, int32_t threads) {
  modify::FolderOptions options;
  options.replace = arguments.has("force");
  options.only_shown = arguments.has("dry-run");
  options.n_threads = threads > 0 ? threads : usable_cores();
  if (const modify::Mix* type = type_from(arguments)) options.type = type->base;
  return options;
}

void tell_folder(const Arguments& arguments, const fs::path& target,
                 const modify::WrittenFolder& written) {
  json::array unplaced;
  std::string names;
  for (const std::string& key : written.unplaced) {
    unplaced.emplace_back(key);
    names += (names.empty() ? "" : ", ") + key;
  }
  if (arguments.has("json")) {
    return print_json(json::object{{"folder", target.string()},
                                   {"class", written.hf_class},
                                   {"data_bytes", written.data_bytes},
                                   {"tensors", written.n_tensors},
                                   {"files", written.n_shards},
                                   {"only_in_strata_json", unplaced}});
  }
  print(fmt::format("{:<18}{}\n{:<18}{}\n{:<18}{} in {} {}\n{:<18}{}\n", "folder", target.string(),
                    "class", written.hf_class, "tensors", written.n_tensors, written.n_shards,
                    written.n_shards == 1 ? "file" : "files", "size",
                    format_bytes(written.data_bytes)));
  if (!names.empty()) complain(fmt::format("only in strata.json: {}", names));
}

// A folder that is replaced is gone, and the model with it.
void refuse_own_place(const fs::path& source, const fs::path& target) {
  std::error_code none;
  for (fs::path at = fs::weakly_canonical(source); at.has_relative_path(); at = at.parent_path()) {
    if (!fs::equivalent(at, target, none)) continue;
    throw Error(Code::invalid_argument, fmt::format("{} holds the model itself", target.string()),
                "name another folder");
  }
}

int convert_to_folder(const Arguments& arguments, int32_t threads) {
  const auto& words = arguments.words();
  const fs::path target = words.size() > 1 ? words[1] : stem_of_model(words[0]);
  modify::FolderOptions options = folder_options(arguments, threads);
  const fs::path source = path_of_model(words[0]);
  refuse_own_place(source, target);
  if (fs::is_directory(source)) options.source_folder = source;
  const auto file = options.source_folder.empty()
                        ? models::open_whole_model_file(source)
                        : models::open_model_file(source, models::MaskHeads::left_out);
  const models::ModelSpec spec = models::describe_model(*file);
  const Interrupts interrupts;
  ProgressPrinter printer(ProgressPrinter::style_for(STDERR_FILENO, arguments.has("quiet")));
  options.progress = [&](uint64_t done, uint64_t total) {
    printer.show(target.filename().string(), done, total);
    return !interrupts.happened();
  };
  tell_folder(arguments, target, modify::write_folder(file, spec, target, options));
  return 0;
}

class Convert : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "convert",
        .summary = "write a model as one GGUF file, or as a folder",
        .description =
            "Between a folder in Hugging Face's layout (config.json, safetensors, tokenizer.json) "
            "and a file\n"
            "that every program which reads GGUF takes. Weights keep their type and value; chat "
            "template,\n"
            "tokenizer and licence come along. --to safetensors writes the folder: quantised "
            "weights become\n"
            "F16 there (MXFP4: BF16), and what no other file of it holds stands in its "
            "strata.json. "
            "A model that "
            "such a\n"
            "folder can't say is refused. strata quantize takes folders too.",
        .arguments = {{"MODEL", "a folder, a .gguf file, or a name in the store", true, false,
                       ArgumentSpec::Kind::file},
                      {"TARGET", "where to; NAME-TYPE.gguf or NAME/ here without it", false, false,
                       ArgumentSpec::Kind::file}},
        .options = {{"to", "FORMAT", "gguf or safetensors; gguf without it"},
                    {"type", "TYPE", "F32, F16 or BF16 for all matrices; as stored without it"},
                    {"threads", "N",
                     "threads that compute; engine.threads of the settings without it"},
                    {"force", "", "replace the file, or the folder of a model, when it is there"},
                    {"dry-run", "", "show what would be written"},
                    {"quiet", "", "show no progress", 'q'},
                    {"json", "", "print JSON, with every tensor"}},
        .examples = {
            {"strata convert ./Llama-3.2-1B", "writes Llama-3.2-1B-BF16.gguf"},
            {"strata convert ./Llama-3.2-1B llama.gguf --type F16", "in another type"},
            {"strata convert model.gguf ./model --to safetensors", "a folder for transformers"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const int32_t threads = threads_from(arguments, load_config(arguments));
    const auto& words = arguments.words();
    const std::string to = arguments.value("to").value_or("gguf");
    if (to == "safetensors") return convert_to_folder(arguments, threads);
    if (to != "gguf") {
      throw Error(Code::invalid_argument, fmt::format("--to {} is no format", to),
                  "gguf or safetensors");
    }
    const Rewriting job = prepare_rewriting({.model = words[0],
                                             .mix = type_from(arguments),
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
