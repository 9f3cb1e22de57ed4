#include "app/cli/rewriting.h"

#include <algorithm>
#include <map>
#include <system_error>

#include <unistd.h>

#include "app/cli/interrupt.h"
#include "app/cli/load_config.h"
#include "app/cli/model_file.h"
#include "app/cli/output.h"
#include "app/in_range.h"
#include "core/cpu.h"
#include "core/error.h"
#include "core/os.h"
#include "core/progress.h"
#include "inference/engine.h"
#include "models/family/family.h"
#include "models/hub/store.h"
#include "tensor/quantize.h"

namespace strata::app {
namespace {

using models::ModelFile;
using modify::Mix;
using modify::QuantizedTensor;
using modify::QuantizePlan;

// Of a folder the whole name: "Llama-3.2-1B" has no extension.
std::string file_stem(const fs::path& path) {
  const fs::path whole = fs::absolute(path).lexically_normal();
  if (path.extension() == ".gguf") return whole.stem().string();
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

// "smollm2-f16.gguf" or "smollm2:135m" as Q8_0: "smollm2-Q8_0.gguf", "smollm2-135m-Q8_0.gguf".
fs::path default_target(const std::string& name_or_file, const Mix& mix) {
  std::string stem = stem_of_model(name_or_file);
  const size_t dash = stem.find_last_of("-.");
  if (dash != std::string::npos) {
    const std::string last = stem.substr(dash + 1);
    const auto is_last = [&](std::string_view name) {
      return last.size() == name.size() &&
             std::equal(last.begin(), last.end(), name.begin(), [](char a, char b) {
               return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 'a' + 'A') : a) == b;
             });
    };
    if (std::ranges::any_of(modify::all_mixes(), is_last, &Mix::name)) stem.resize(dash);
  }
  return fmt::format("{}-{}.gguf", stem, mix.name);
}

void check_target(const Rewriting& job, bool force) {
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

// That of the type that most weights have, which names the file.
const Mix& stored_mix(const ModelFile& file) {
  std::map<tensor::DType, uint64_t> weights;
  for (const auto& tensor : file.tensors()) weights[tensor.type] += tensor.n_weights();
  const auto most =
      std::ranges::max_element(weights, {}, [](const auto& entry) { return entry.second; });
  return modify::find_mix(tensor::dtype_info(most->first).name);
}

}  // namespace

fs::path path_of_model(const std::string& name_or_file) {
  if (is_model_path(name_or_file)) return name_or_file;
  refuse_no_model(name_or_file);
  const models::Store store;
  return store.model_path(store.find(name_or_file));
}

std::string stem_of_model(const std::string& name_or_file) {
  std::string stem = is_model_path(name_or_file) ? file_stem(name_or_file) : name_or_file;
  for (char& c : stem) {
    if (c == ':' || c == '/') c = '-';
  }
  return stem;
}

Rewriting prepare_rewriting(const RewritingRequest& request) {
  Rewriting job;
  job.source = path_of_model(request.model);
  job.file = models::open_whole_model_file(
      job.source, is_model_path(request.model) ? std::string_view() : request.model);
  job.spec = models::describe_model(*job.file);
  job.mix = request.mix != nullptr ? request.mix : &stored_mix(*job.file);
  job.target = request.target.empty() ? default_target(request.model, *job.mix) : request.target;
  check_target(job, request.force);
  if (!request.imatrix.empty()) job.importance = modify::read_importance(request.imatrix);
  modify::MixOptions options = request.options;
  options.as_stored = request.mix == nullptr;
  options.has_importance = job.importance.has_value();
  job.plan = modify::plan_quantization(*job.file, job.spec, *job.mix, options);
  return job;
}

// What a reader may not expect, said before the work.
void tell_rewriting(const Rewriting& job) {
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

namespace {

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

}  // namespace

ChunkedText text_of_check(const Rewriting& job, const std::string& text) {
  const auto source = models::load_model(job.source, job.source.string());
  inference::refuse_reader(*source, "the check is");
  const int32_t chunk = chunk_from({}, *source);
  require_memory(source->name, " for the check, with what is made of it",
                 fast_bytes(*source, chunk, tensor::KvFormat::bf16) + job.plan.bytes(),
                 "quantise without --check");
  return chunk_text(*source, text, chunk, "give a longer text");
}

inference::Divergence check_rewriting(const Rewriting& job, const Arguments& arguments,
                                      const ChunkedText& text) {
  const Config config = load_config(arguments);
  const auto source = models::load_model(job.source, job.source.string());
  const auto target = models::load_model(job.target, job.target.string());
  inference::PerplexityOptions options;
  options.context = text.chunk;
  options.bos = text.bos;
  options.max_chunks = option_in_range(arguments, "chunks", {1}, 0);
  inference::ExecutorOptions executor;
  executor.n_threads = threads_from(arguments, config);
  executor.n_positions_limit = options.context;
  options.n_threads = executor.n_threads > 0 ? executor.n_threads : usable_cores();
  ProgressPrinter printer(ProgressPrinter::style_for(STDERR_FILENO, arguments.has("quiet")));
  options.progress = [&](int64_t done, int64_t total) {
    printer.show("checking", static_cast<uint64_t>(done), static_cast<uint64_t>(total), "tokens");
  };
  const auto of = [&](const std::shared_ptr<const models::Model>& model) {
    return [&executor, model] { return inference::make_fast_executor(model, executor); };
  };
  return inference::measure_divergence(of(source), of(target), text.tokens, options);
}

void print_rewriting(const Rewriting& job, const std::optional<inference::Divergence>& checked) {
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
                    checked->mean_kl, "likeliest equal", 100.0 * checked->top1_agreement));
}

json::object rewriting_json(const Rewriting& job, const std::vector<QuantizedTensor>& results,
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

std::vector<QuantizedTensor> write_rewriting(const Rewriting& job, const Arguments& arguments,
                                             int n_threads) {
  const Interrupts interrupts;
  ProgressPrinter printer(ProgressPrinter::style_for(STDERR_FILENO, arguments.has("quiet")));
  modify::QuantizeOptions options;
  options.n_threads = n_threads;
  options.measure_errors = arguments.has("json");
  if (job.importance) options.importance = &*job.importance;
  options.progress = [&](uint64_t done, uint64_t total) {
    printer.show(job.target.filename().string(), done, total);
    return !interrupts.happened();
  };
  return modify::quantize(*job.file, job.plan, *job.mix, job.target, options);
}

}  // namespace strata::app
