// strata perplexity MODEL
#include "inference/perplexity.h"

#include <algorithm>
#include <array>
#include <string>

#include <unistd.h>

#include "app/cli/command.h"
#include "app/cli/load_config.h"
#include "app/cli/measuring.h"
#include "app/cli/model_file.h"
#include "app/cli/output.h"
#include "app/in_range.h"
#include "core/cpu.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/os.h"
#include "core/progress.h"
#include "inference/engine.h"

namespace strata::app {
namespace {

// Licence texts that every Debian system has: the text when none is given. More than 30,000 tokens
// of every vocabulary.
constexpr std::array<const char*, 7> kSystemTexts{
    "/usr/share/common-licenses/GPL-3",    "/usr/share/common-licenses/Apache-2.0",
    "/usr/share/common-licenses/MPL-2.0",  "/usr/share/common-licenses/LGPL-2.1",
    "/usr/share/common-licenses/GFDL-1.3", "/usr/share/common-licenses/GPL-2",
    "/usr/share/common-licenses/MPL-1.1"};

std::string text_from(const Arguments& arguments) {
  if (const auto file = arguments.value("text")) return read_file(*file);
  std::string text;
  for (const char* file : kSystemTexts) text += read_file(file);
  return text;
}

std::string for_people(const json::value& value) {
  if (value.is_double()) return fmt::format("{:.4f}", value.get_double());
  if (value.is_string()) return std::string(value.get_string());
  return to_json(value);
}

json::object as_json(const inference::Perplexity& p) {
  return {{"perplexity", p.value},
          {"standard_error", p.standard_error},
          {"tokens_scored", p.n_scored},
          {"chunks", p.n_chunks},
          {"chunk_nll", json::array(p.chunk_nll.begin(), p.chunk_nll.end())}};
}

void check_memory(const Arguments& arguments, const models::Model& model,
                  const inference::ExecutorOptions& executor) {
  constexpr std::string_view kHint = "measure on a machine with more memory, or fewer bits";
  const uint64_t fast = fast_bytes(model, executor.n_positions_limit, executor.kv);
  if (arguments.has("against-float32")) {
    require_memory(model.name, " for both executors", float32_bytes(model) + fast, kHint);
  } else if (arguments.has("float32")) {
    require_memory(model.name, " as float32", float32_bytes(model), kHint);
  } else {
    require_memory(model.name, "", fast, kHint);
  }
}

class PerplexityCommand : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "perplexity",
        .summary = "measure how well a model foretells a text",
        .description =
            "llama.cpp's convention: chunks of the context, the second half of each is scored. "
            "With\n"
            "--against-float32 the plain executor judges the fast one: mean KL divergence, and "
            "how\n"
            "often both find the same token most likely.",
        .arguments = {{"MODEL", "a name, a .gguf file or a folder", true, false,
                       ArgumentSpec::Kind::model}},
        .options = {{"text", "FILE", "the text; without it the licences of the system"},
                    {"context", "N",
                     "tokens in a chunk; 512 without it, or the model's positions"
                     " where those are fewer"},
                    {"chunks", "N", "only the first N chunks; all without it"},
                    {"threads", "N",
                     "threads that compute; engine.threads of the settings without it"},
                    {"kv", "FORMAT",
                     "keys and values of the fast executor: bf16, int8 or int4; engine.kv of the "
                     "settings without it"},
                    {"float32", "", "the plain float32 executor instead of the fast one"},
                    {"against-float32", "", "measure both and how far they are apart"},
                    {"quiet", "", "show no progress", 'q'},
                    {"json", "", "print JSON"}},
        .examples = {{"strata perplexity smollm2:135m --against-float32 --chunks 16",
                      "how far the fast executor is from the plain one"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const Config config = load_config(arguments);
    inference::PerplexityOptions options;
    options.max_chunks = option_in_range(arguments, "chunks", {1}, 0);
    inference::ExecutorOptions executor;
    executor.n_threads = threads_from(arguments, config);
    executor.kv = kv_from(arguments, config);
    if (arguments.has("kv") && arguments.has("float32")) {
      throw Error(Code::invalid_argument, "--kv is for the fast executor: --float32 keeps floats",
                  "leave one of the two out");
    }
    options.n_threads = executor.n_threads > 0 ? executor.n_threads : usable_cores();
    const auto model = open_named_model(arguments.words()[0]);
    inference::refuse_reader(*model, "perplexity is");
    options.context = chunk_from(arguments, *model);
    executor.n_positions_limit = options.context;
    check_memory(arguments, *model, executor);
    const std::string text = text_from(arguments);
    const auto [tokens, chunk, bos] = chunk_text(*model, text, options.context);
    options.bos = bos;
    const auto fast = [&] { return inference::make_fast_executor(model, executor); };
    const auto plain = [&] { return inference::make_float32_executor(model, executor); };
    ProgressPrinter printer(ProgressPrinter::style_for(STDERR_FILENO, arguments.has("quiet")));
    options.progress = [&](int64_t done, int64_t total) {
      printer.show(model->name, static_cast<uint64_t>(done), static_cast<uint64_t>(total),
                   "tokens");
    };
    json::object out;
    if (arguments.has("against-float32")) {
      const auto d = inference::measure_divergence(plain, fast, tokens, options);
      out = as_json(d.judged);
      out["float32_perplexity"] = d.reference.value;
      out["float32_chunk_nll"] =
          json::array(d.reference.chunk_nll.begin(), d.reference.chunk_nll.end());
      out["mean_kl"] = d.mean_kl;
      out["median_kl"] = d.median_kl;
      out["p999_kl"] = d.p999_kl;
      out["top1_agreement"] = d.top1_agreement;
    } else if (arguments.has("float32")) {
      out = as_json(inference::measure_perplexity(plain, tokens, options));
    } else {
      out = as_json(inference::measure_perplexity(fast, tokens, options));
    }
    if (!arguments.has("float32")) out["kv"] = tensor::kv_format_name(executor.kv);
    out["text_sha256"] = sha256_hex(text);
    printer.finish();
    if (arguments.has("json")) {
      print_json(out);
    } else {
      for (const auto& member : out) {
        if (member.value().is_array()) continue;
        print(
            fmt::format("{:<20}{}\n", std::string_view(member.key()), for_people(member.value())));
      }
    }
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<PerplexityCommand>()};

}  // namespace
}  // namespace strata::app
