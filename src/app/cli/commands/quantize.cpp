// strata quantize MODEL TYPE [FILE]
#include "modify/quantize.h"

#include <system_error>

#include <unistd.h>

#include "app/cli/command.h"
#include "app/cli/interrupt.h"
#include "app/cli/load_config.h"
#include "app/cli/model_file.h"
#include "app/cli/output.h"
#include "app/in_range.h"
#include "core/cpu.h"
#include "core/error.h"
#include "core/os.h"
#include "core/progress.h"
#include "inference/perplexity.h"
#include "models/family/family.h"
#include "models/format/gguf.h"
#include "tensor/quantize.h"

namespace strata::app {
namespace {

using models::ModelFile;
using modify::Mix;
using modify::QuantizedTensor;
using modify::QuantizePlan;

std::vector<std::string_view> mix_names() {
  std::vector<std::string_view> names;
  for (const Mix& mix : modify::all_mixes()) names.push_back(mix.name);
  return names;
}

// What one call works on.
struct Job {
  fs::path source, target;
  std::shared_ptr<const ModelFile> file;
  models::ModelSpec spec;
  const Mix* mix = nullptr;
  std::optional<modify::Importance> importance;
  QuantizePlan plan;
};

fs::path path_of(const std::string& name_or_file) {
  if (name_or_file.ends_with(".gguf")) return name_or_file;
  const models::Store store;
  return store.model_path(store.find(name_or_file));
}

// "smollm2-f16.gguf" or "smollm2:135m" as Q8_0: "smollm2-Q8_0.gguf", "smollm2-135m-Q8_0.gguf".
fs::path default_target(const std::string& name_or_file, const Mix& mix) {
  std::string stem =
      name_or_file.ends_with(".gguf") ? fs::path(name_or_file).stem().string() : name_or_file;
  for (char& c : stem) {
    if (c == ':' || c == '/') c = '-';
  }
  const size_t dash = stem.find_last_of("-.");
  if (dash != std::string::npos) {
    const auto names = mix_names();
    const std::string last = stem.substr(dash + 1);
    const auto is_last = [&](std::string_view name) {
      return last.size() == name.size() &&
             std::equal(last.begin(), last.end(), name.begin(), [](char a, char b) {
               return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 'a' + 'A') : a) == b;
             });
    };
    if (std::ranges::any_of(names, is_last)) stem.resize(dash);
  }
  return fmt::format("{}-{}.gguf", stem, mix.name);
}

void check_target(const Job& job, bool force) {
  if (job.target.filename().empty() || fs::is_directory(job.target)) {
    throw Error(Code::invalid_argument, fmt::format("{} is a folder", job.target.string()),
                "name a file");
  }
  std::error_code none;
  if (!fs::exists(job.target, none)) return;
  if (fs::equivalent(job.source, job.target, none)) {
    throw Error(Code::invalid_argument, fmt::format("{} is the model itself", job.target.string()),
                "name another file");
  }
  // A part of a model in parts has the first part's name but for the number.
  if (job.file->integer("split.count").value_or(1) > 1 &&
      job.target.filename().string().find("-of-") != std::string::npos) {
    throw Error(Code::invalid_argument,
                fmt::format("{} may be a part of the model", job.target.string()),
                "name another file");
  }
  if (!force) {
    throw Error(Code::already_exists, fmt::format("{} is there already", job.target.string()),
                "--force replaces it, another name keeps it");
  }
}

// The type that a mixture of this name is made of.
std::optional<tensor::DType> type_option(const Arguments& arguments, std::string_view option) {
  const auto name = arguments.value(option);
  if (!name) return std::nullopt;
  return modify::find_mix(*name).base;
}

Job prepare(const Arguments& arguments) {
  const auto& words = arguments.words();
  Job job;
  job.mix = &modify::find_mix(words[1]);
  job.source = path_of(words[0]);
  job.file = models::open_gguf(job.source);
  job.spec = models::describe_model(*job.file);
  job.target = words.size() > 2 ? fs::path(words[2]) : default_target(words[0], *job.mix);
  check_target(job, arguments.has("force"));
  if (const auto path = arguments.value("imatrix")) job.importance = modify::read_importance(*path);
  job.plan = modify::plan_quantization(*job.file, job.spec, *job.mix,
                                       {.pure = arguments.has("pure"),
                                        .has_importance = job.importance.has_value(),
                                        .embedding = type_option(arguments, "embedding"),
                                        .head = type_option(arguments, "head")});
  return job;
}

// What a reader may not expect, said before the work.
void tell_plan(const Job& job) {
  complain(fmt::format("{}: {} in, {} out, {:.2f} bits a weight", job.target.string(),
                       format_bytes(job.file->file_bytes()), format_bytes(job.plan.bytes()),
                       job.plan.bits_per_weight()));
  std::map<std::pair<tensor::DType, tensor::DType>, int> fallbacks;
  int n_lossy = 0;
  int n_unseen = 0;
  for (const auto& tensor : job.plan.tensors) {
    if (tensor.type != tensor.wanted) ++fallbacks[{tensor.wanted, tensor.type}];
    if (tensor.type == tensor.source->type) continue;
    if (tensor::dtype_info(tensor.source->type).block_weights > 1) ++n_lossy;
    if (job.importance && !job.importance->entries.contains(tensor.source->name)) ++n_unseen;
  }
  for (const auto& [types, n] : fallbacks) {
    complain(fmt::format("note: {} tensors have rows that blocks of {} do not divide: {}", n,
                         tensor::dtype_info(types.first).name,
                         tensor::dtype_info(types.second).name));
  }
  if (n_lossy > 0) {
    complain(
        fmt::format("note: {} tensors are quantised already; what that lost stays lost", n_lossy));
  }
  if (n_unseen > 0) {
    complain(fmt::format("note: {} tensors are not in the importance matrix", n_unseen));
  }
}

struct TypeRow {
  int64_t tensors = 0;
  uint64_t weights = 0, bytes = 0;
};

std::map<std::string_view, TypeRow> by_type(const QuantizePlan& plan) {
  std::map<std::string_view, TypeRow> rows;
  for (const auto& tensor : plan.tensors) {
    auto& row = rows[tensor::dtype_info(tensor.type).name];
    ++row.tensors;
    row.weights += tensor.source->n_weights();
    row.bytes += tensor.bytes;
  }
  return rows;
}

double ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

inference::Divergence check(const Job& job, const Arguments& arguments, const std::string& text) {
  const Config config = load_config(arguments);
  const auto source = models::load_model(job.source, job.source.string());
  const auto target = models::load_model(job.target, job.target.string());
  inference::PerplexityOptions options;
  options.max_chunks = option_in_range(arguments, "chunks", {1}, 0);
  inference::ExecutorOptions executor;
  executor.n_threads = threads_from(arguments, config);
  executor.n_positions_limit = options.context;
  options.n_threads = executor.n_threads > 0 ? executor.n_threads : usable_cores();
  const auto& tokenizer = *source->tokenizer;
  if (tokenizer.add_bos()) options.bos = tokenizer.bos();
  ProgressPrinter printer(ProgressPrinter::style_for(STDERR_FILENO, arguments.has("quiet")));
  options.progress = [&](int64_t done, int64_t total) {
    printer.show("checking", static_cast<uint64_t>(done), static_cast<uint64_t>(total), "tokens");
  };
  const auto of = [&](const std::shared_ptr<const models::Model>& model) {
    return [&executor, model] { return inference::make_fast_executor(model, executor); };
  };
  return inference::measure_divergence(
      of(source), of(target), tokenizer.with_bos_eos(tokenizer.encode_text(text)), options);
}

void print_report(const Job& job, const std::optional<inference::Divergence>& checked) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [type, row] : by_type(job.plan)) {
    rows.push_back({std::string(type), std::to_string(row.tensors), std::to_string(row.weights),
                    format_bytes(row.bytes),
                    fmt::format("{:.1f} %", 100.0 * ratio(row.weights, job.plan.n_weights()))});
  }
  print_table({"TYPE", "TENSORS", "WEIGHTS", "SIZE", "SHARE OF WEIGHTS"}, rows);
  print(fmt::format("\n{:<18}{}\n{:<18}{}\n{:<18}{:.3f}\n", "file", job.target.string(), "size",
                    format_bytes(fs::file_size(job.target)), "bits a weight",
                    job.plan.bits_per_weight()));
  if (!checked) return;
  print(fmt::format("{:<18}{:.4f} (source {:.4f})\n{:<18}{:.5f} nats\n{:<18}{:.2f} %\n",
                    "perplexity", checked->judged.value, checked->reference.value, "mean KL",
                    checked->mean_kl, "same first token", 100.0 * checked->top1_agreement));
}

json::object report_json(const Job& job, const std::vector<QuantizedTensor>& results,
                         const std::optional<inference::Divergence>& checked) {
  json::object types;
  for (const auto& [type, row] : by_type(job.plan)) {
    types[type] = json::object{{"tensors", row.tensors},
                               {"weights", row.weights},
                               {"size_bytes", row.bytes},
                               {"share_of_weights", ratio(row.weights, job.plan.n_weights())}};
  }
  json::array tensors;
  for (size_t i = 0; i < job.plan.tensors.size(); ++i) {
    const auto& tensor = job.plan.tensors[i];
    json::object row{{"name", tensor.source->name},
                     {"from", tensor::dtype_info(tensor.source->type).name},
                     {"to", tensor::dtype_info(tensor.type).name},
                     {"wanted", tensor::dtype_info(tensor.wanted).name},
                     {"size_bytes", tensor.bytes}};
    if (i < results.size()) {
      row["relative_error"] = results[i].relative_error;
      row["weighted"] = results[i].weighted;
    }
    tensors.emplace_back(std::move(row));
  }
  json::object out{{"file", job.target.string()},
                   {"type", job.mix->name},
                   {"data_bytes", job.plan.bytes()},
                   {"weights", job.plan.n_weights()},
                   {"bits_per_weight", job.plan.bits_per_weight()},
                   {"types", types},
                   {"tensors", tensors}};
  if (checked) {
    out["check"] = json::object{{"perplexity", checked->judged.value},
                                {"source_perplexity", checked->reference.value},
                                {"mean_kl", checked->mean_kl},
                                {"median_kl", checked->median_kl},
                                {"p999_kl", checked->p999_kl},
                                {"top1_agreement", checked->top1_agreement},
                                {"tokens_scored", checked->judged.n_scored}};
  }
  return out;
}

class Quantize : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "quantize",
        .summary = "write a model with smaller weights",
        .description =
            "Types are llama.cpp's: one for all matrices, or a mixture that gives more bits to "
            "what loses\n"
            "most by few. Metadata, tokenizer, template and licence stay. Works tensor by tensor: "
            "memory\n"
            "does not grow with the model, and a crash leaves the old file or none.",
        .arguments = {{"MODEL", "a name or a .gguf file", true, false, ArgumentSpec::Kind::model},
                      {"TYPE", "Q4_K_M, Q8_0, IQ4_XS, …: --help of a wrong one lists all", true,
                       false, ArgumentSpec::Kind::text, mix_names()},
                      {"FILE", "where to; NAME-TYPE.gguf here without it", false, false,
                       ArgumentSpec::Kind::file}},
        .options = {{"imatrix", "FILE", "weigh errors by an importance matrix (strata imatrix)"},
                    {"pure", "", "one type for all matrices, no mixture"},
                    {"embedding", "TYPE", "another type for the token embedding"},
                    {"head", "TYPE", "another type for the output head"},
                    {"check", "TEXT", "a text file: perplexity and KL divergence to the source"},
                    {"chunks", "N", "of the check only the first N chunks of 512 tokens"},
                    {"threads", "N",
                     "threads that compute; engine.threads of the settings without it"},
                    {"force", "", "replace FILE when it is there"},
                    {"dry-run", "", "show what would be written"},
                    {"quiet", "", "show no progress", 'q'},
                    {"json", "", "print JSON, with every tensor's error"}},
        .examples = {{"strata quantize smollm2-f16.gguf Q4_K_M", "writes smollm2-Q4_K_M.gguf"},
                     {"strata quantize model.gguf IQ4_XS small.gguf --imatrix model.imatrix.gguf",
                      "errors weighed by what a text uses"},
                     {"strata quantize model.gguf Q5_K_M --check wiki.txt --chunks 16",
                      "and how far it is from the source"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const int32_t threads = threads_from(arguments, load_config(arguments));
    std::optional<std::string> text;  // read first, so that a wrong name does not end a long work
    if (const auto path = arguments.value("check")) text = read_file(*path);
    const Job job = prepare(arguments);
    tell_plan(job);
    if (arguments.has("dry-run")) {
      if (arguments.has("json")) print_json(report_json(job, {}, std::nullopt));
      return 0;
    }
    const auto results = write(job, arguments, threads > 0 ? threads : usable_cores());
    std::optional<inference::Divergence> checked;
    if (text) checked = check(job, arguments, *text);
    if (arguments.has("json")) {
      print_json(report_json(job, results, checked));
    } else {
      print_report(job, checked);
    }
    return 0;
  }

 private:
  static std::vector<QuantizedTensor> write(const Job& job, const Arguments& arguments,
                                            int n_threads) {
    const Interrupts interrupts;
    ProgressPrinter printer(ProgressPrinter::style_for(STDERR_FILENO, arguments.has("quiet")));
    modify::QuantizeOptions options;
    options.n_threads = n_threads;
    if (job.importance) options.importance = &*job.importance;
    options.progress = [&](uint64_t done, uint64_t total) {
      printer.show(job.target.filename().string(), done, total);
      return !interrupts.happened();
    };
    return modify::quantize(*job.file, job.plan, *job.mix, job.target, options);
  }
};

const Registered<Command> registered{std::make_unique<Quantize>()};

}  // namespace
}  // namespace strata::app
