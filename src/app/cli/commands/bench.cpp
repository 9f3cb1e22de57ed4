// strata bench MODEL
#include "inference/bench.h"

#include <algorithm>
#include <charconv>

#include <unistd.h>

#include "app/cli/bench_report.h"
#include "app/cli/command.h"
#include "app/cli/load_config.h"
#include "app/cli/measuring.h"
#include "app/cli/model_file.h"
#include "app/cli/output.h"
#include "app/in_range.h"
#include "core/cpu.h"
#include "core/error.h"
#include "core/os.h"
#include "core/progress.h"
#include "inference/engine.h"
#include "inference/memory.h"
#include "tensor/bandwidth.h"

namespace strata::app {
namespace {

constexpr int32_t kMost = 1 << 20;

// What decoding is fed with: ordinary prose, so that the model reads what it knows.
constexpr std::string_view kText =
    "The harbour lay quiet in the early morning, and only the gulls were awake. An old man sat on "
    "a "
    "wooden box and mended a net, as he had done every day for forty years. When the first boats "
    "came in he put the needle aside, looked at the sky, and said to nobody in particular that the "
    "wind would turn before noon. The young ones laughed, but they carried their baskets a little "
    "faster. By eleven the flags on the mole hung still, and then, one after the other, they began "
    "to point towards the land. Nobody laughed any more. The old man had gone home to his soup.";

int32_t to_number(std::string_view option, std::string_view text, int32_t least) {
  int32_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || value < least || value > kMost) {
    throw Error(Code::invalid_argument, fmt::format("--{} {}: numbers from {} to {} are possible",
                                                    option, text, least, kMost));
  }
  return value;
}

std::vector<int32_t> numbers(const Arguments& arguments, std::string_view option, int32_t least,
                             int32_t otherwise) {
  const auto given = arguments.value(option);
  if (!given) return {otherwise};
  std::vector<int32_t> result;
  std::string_view rest = *given;
  while (true) {
    const size_t comma = rest.find(',');
    result.push_back(to_number(option, rest.substr(0, comma), least));
    if (comma == std::string_view::npos) return result;
    rest.remove_prefix(comma + 1);
  }
}

int32_t number(const Arguments& arguments, std::string_view option, int32_t least,
               int32_t otherwise) {
  const auto given = arguments.value(option);
  return given ? to_number(option, *given, least) : otherwise;
}

// What is not given is no more than the model has positions.
std::vector<BenchLine> lines_of(const Arguments& arguments, const models::Model& model) {
  const int32_t most = model.spec.n_context;
  std::vector<BenchLine> lines;
  for (const int32_t prompt : numbers(arguments, "prompt", 0, std::min(512, most))) {
    if (prompt > 0)
      lines.push_back({.generate = false, .prompt = prompt, .generated = {}, .speeds = {}});
  }
  const int32_t generate = number(arguments, "generate", 0, std::min(128, most));
  for (const int32_t depth : numbers(arguments, "depth", 0, 0)) {
    for (const int32_t batch : numbers(arguments, "batch", 1, 1)) {
      if (generate == 0) continue;
      lines.push_back(
          {.generate = true, .prompt = 0, .generated = {generate, batch, depth}, .speeds = {}});
    }
  }
  return lines;
}

void refuse_beyond_model(const std::vector<BenchLine>& lines, const models::Model& model) {
  for (const BenchLine& line : lines) {
    const auto& g = line.generated;
    const int64_t positions = line.generate ? int64_t{g.depth} + g.n_tokens : line.prompt;
    if (positions <= model.spec.n_context) continue;
    throw Error(Code::invalid_argument,
                fmt::format("{} takes {} positions, {} has {}", line.name(), positions, model.name,
                            model.spec.n_context),
                line.generate ? "give a smaller --depth or --generate" : "give a smaller --prompt");
  }
}

int64_t positions_for(const std::vector<BenchLine>& lines) {
  int64_t most = 1;
  for (const BenchLine& line : lines) {
    const auto& g = line.generated;
    most = std::max<int64_t>(
        most, line.generate ? int64_t{g.batch} * (g.depth + g.n_tokens) : line.prompt);
  }
  return most;
}

class Bench : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "bench",
        .summary = "measure how fast a model reads and writes on this machine",
        .description =
            "Tokens per second of reading a prompt and of writing: the median of the rounds with\n"
            "the smallest and largest, and what this machine's memory allows, for writing reads\n"
            "all weights for each token. Prompts are new each round; nothing is cached or guessed.",
        .arguments = {{"MODEL", "a name, a .gguf file or a folder", true, false,
                       ArgumentSpec::Kind::model}},
        .options = {{"prompt", "N,…", "tokens of a prompt; 512 without it, 0: none"},
                    {"generate", "N", "tokens written; 128 without it, 0: none"},
                    {"batch", "N,…", "answers written at once; 1 without it"},
                    {"depth", "N,…", "tokens in the cache before; 0 without it"},
                    {"threads", "N",
                     "threads that compute; engine.threads of the settings without it"},
                    {"kv", "FORMAT",
                     "keys and values: bf16, int8 or int4; engine.kv of the settings without it"},
                    {"rounds", "N", "3 without it"},
                    {"compare", "FILE", "what --json printed earlier, to compare with"},
                    {"quiet", "", "show no progress", 'q'},
                    {"json", "", "print JSON"}},
        .examples = {{"strata bench smollm2:135m", "a prompt of 512 tokens, then 128 written"},
                     {"strata bench smollm2:135m --batch 1,8,32 --depth 0,4096", "six cases"},
                     {"strata bench smollm2:135m --json > before.json", "to compare with later"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const Config config = load_config(arguments);
    const int32_t rounds = number(arguments, "rounds", 1, 3);
    std::optional<EarlierBench> earlier;
    if (const auto file = arguments.value("compare")) earlier = read_earlier_bench(*file);
    const auto model = open_named_model(arguments.words()[0]);
    inference::refuse_reader(*model, "these measurements are");
    std::vector<BenchLine> lines = lines_of(arguments, *model);
    refuse_beyond_model(lines, *model);
    inference::ExecutorOptions options;
    options.n_threads = threads_from(arguments, config);
    if (options.n_threads == 0) options.n_threads = usable_cores();
    options.n_positions_limit = positions_for(lines);
    options.kv = kv_from(arguments, config);
    require_memory(model->name, "", fast_bytes(*model, options.n_positions_limit, options.kv),
                   "measure on a machine with more memory, or fewer bits; fewer at once");
    const auto executor = inference::make_fast_executor(model, options);

    const double bandwidth =
        measure(lines, rounds, *model, *executor, options, arguments.has("quiet"));
    const BenchRun run{executor->kernels(), tensor::kv_format_name(options.kv), options.n_threads,
                       bandwidth};
    if (arguments.has("json")) {
      print_json(bench_json(lines, run));
    } else {
      print_bench(lines, run, earlier);
    }
    return 0;
  }

 private:
  // Rounds over all lines, so that a slow minute touches each of them. Returns the bytes per second
  // that the memory gave in between.
  static double measure(std::vector<BenchLine>& lines, int32_t rounds, const models::Model& model,
                        inference::Executor& executor, const inference::ExecutorOptions& options,
                        bool quiet) {
    const auto text = model.tokenizer->encode_text(kText);
    const int32_t n_vocab = model.spec.n_vocab;
    ProgressPrinter printer(ProgressPrinter::style_for(STDERR_FILENO, quiet));
    const auto total = static_cast<uint64_t>(rounds) * lines.size();
    uint64_t done = 0;
    double bandwidth = 0.0;
    const int64_t weights = executor.stats().weight_bytes_read;
    for (int32_t round = 0; round < rounds; ++round) {
      const auto seed = static_cast<uint64_t>(round);
      {
        Team team(options.n_threads);
        bandwidth = std::max(bandwidth, tensor::read_bandwidth(team, weights));
      }
      for (BenchLine& line : lines) {
        line.speeds.push_back(
            line.generate
                ? inference::measure_generate(executor, n_vocab, line.generated, text, seed)
                : line.prompt / inference::measure_prompt(executor, n_vocab,
                                                          {line.prompt, std::min(line.prompt, 512)},
                                                          seed));
        printer.show("measuring", ++done, total, "cases");
      }
    }
    printer.finish();
    for (BenchLine& line : lines) {
      line.limit = memory_limit(line, model, options.kv, weights, bandwidth);
    }
    return bandwidth;
  }

  // A step reads the weights once and each sequence's keys and values, on average at half of what
  // is written.
  static double memory_limit(const BenchLine& line, const models::Model& model, tensor::KvFormat kv,
                             int64_t weight_bytes, double bandwidth) {
    if (!line.generate) return 0.0;
    const auto& g = line.generated;
    const auto need =
        inference::foretell_memory(model.spec, *model.file, g.depth + g.n_tokens / 2, kv);
    return bandwidth * g.batch /
           (static_cast<double>(weight_bytes) + static_cast<double>(need.kv_bytes) * g.batch);
  }
};

const Registered<Command> registered{std::make_unique<Bench>()};

}  // namespace
}  // namespace strata::app
