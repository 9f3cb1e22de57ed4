// strata bench MODEL
#include "inference/bench.h"

#include "app/cli/command.h"
#include "app/cli/model_file.h"
#include "app/cli/output.h"
#include "core/error.h"

namespace strata::app {
namespace {

struct CaseOption {
  std::string_view name;
  int32_t inference::BenchCase::* field;
  int32_t least;
  std::string_view help;
};
constexpr CaseOption kCaseOptions[]{
    {"prompt", &inference::BenchCase::prompt, 0, "tokens of a prompt; 512 without it, 0: none"},
    {"generate", &inference::BenchCase::generate, 0, "tokens decoded; 128 without it, 0: none"},
    {"depth", &inference::BenchCase::depth, 0, "tokens in the cache before decoding; 0 without it"},
    {"batch", &inference::BenchCase::batch, 1, "sequences decoded at once; 1 without it"},
    {"chunk", &inference::BenchCase::chunk, 1, "prompt tokens a step; 512 without it"},
};

CommandSpec make_spec() {
  CommandSpec spec{
      .name = "bench",
      .summary = "measure how fast a model reads and writes on this machine",
      .description =
          "Prefill (reading a prompt) and decode (writing), in tokens per second: the "
          "best of the rounds.",
      .arguments = {{"MODEL", "a name or a .gguf file", true, false, ArgumentSpec::Kind::model}},
      .options = {{"threads", "N", "threads that compute; all usable cores without it"},
                  {"rounds", "N", "3 without it"},
                  {"json", "", "print JSON"}},
      .examples = {{"strata bench smollm2:135m", "a prompt of 512 tokens, then 128 written"},
                   {"strata bench smollm2:135m --prompt 0 --batch 8", "eight answers at once"}}};
  for (const auto& row : kCaseOptions) spec.options.push_back({row.name, "N", row.help});
  return spec;
}

int32_t in_range(const Arguments& arguments, std::string_view name, int32_t least,
                 int32_t otherwise) {
  constexpr int64_t kMost = 1 << 20;
  const int64_t value = arguments.integer(name).value_or(otherwise);
  if (value < least || value > kMost) {
    throw Error(Code::invalid_argument,
                fmt::format("--{} {}: from {} to {} is possible", name, value, least, kMost));
  }
  return static_cast<int32_t>(value);
}

class Bench : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec = make_spec();
    return spec;
  }

  int run(const Arguments& arguments) const override {
    inference::BenchCase bench;
    for (const auto& row : kCaseOptions) {
      bench.*row.field = in_range(arguments, row.name, row.least, bench.*row.field);
    }
    const int32_t rounds = in_range(arguments, "rounds", 1, 3);
    const auto model = open_named_model(arguments.words()[0]);
    inference::ExecutorOptions options;
    options.n_threads = in_range(arguments, "threads", 0, 0);
    options.n_positions_limit = std::max(bench.prompt, bench.depth + bench.generate);
    const auto executor = inference::make_fast_executor(model, options);
    inference::BenchResult best;
    for (int32_t i = 0; i < rounds; ++i) {
      const auto result = measure_speed(*executor, model->spec.n_vocab, bench);
      best.prefill_tokens_per_second =
          std::max(best.prefill_tokens_per_second, result.prefill_tokens_per_second);
      best.decode_tokens_per_second =
          std::max(best.decode_tokens_per_second, result.decode_tokens_per_second);
    }
    print_result(*executor, best, arguments.has("json"));
    return 0;
  }

 private:
  static void print_result(const inference::Executor& executor, const inference::BenchResult& best,
                           bool as_json) {
    if (as_json) {
      print_json(json::object{{"prefill_tokens_per_second", best.prefill_tokens_per_second},
                              {"decode_tokens_per_second", best.decode_tokens_per_second},
                              {"kernels", executor.kernels()}});
      return;
    }
    print_table({"", "TOKENS/S"},
                {{"prefill", fmt::format("{:.1f}", best.prefill_tokens_per_second)},
                 {"decode", fmt::format("{:.1f}", best.decode_tokens_per_second)}});
  }
};

const Registered<Command> registered{std::make_unique<Bench>()};

}  // namespace
}  // namespace strata::app
