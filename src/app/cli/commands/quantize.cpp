// strata quantize MODEL TYPE [FILE]
#include "app/cli/load_config.h"
#include "app/cli/output.h"
#include "app/cli/rewriting.h"
#include "app/in_range.h"
#include "core/cpu.h"
#include "core/os.h"

namespace strata::app {
namespace {

std::vector<std::string_view> mix_names() {
  std::vector<std::string_view> names;
  for (const modify::Mix& mix : modify::all_mixes()) names.push_back(mix.name);
  return names;
}

// The type that a mixture of this name is made of.
std::optional<tensor::DType> type_option(const Arguments& arguments, std::string_view option) {
  const auto name = arguments.value(option);
  if (!name) return std::nullopt;
  return modify::find_mix(*name).base;
}

RewritingRequest request_of(const Arguments& arguments) {
  const auto& words = arguments.words();
  return {.model = words[0],
          .mix = &modify::find_mix(words[1]),
          .target = words.size() > 2 ? words[2] : "",
          .imatrix = arguments.value("imatrix").value_or(""),
          .options = {.pure = arguments.has("pure"),
                      .embedding = type_option(arguments, "embedding"),
                      .head = type_option(arguments, "head")},
          .force = arguments.has("force")};
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
        .arguments = {{"MODEL", "a name, a .gguf file or a folder", true, false,
                       ArgumentSpec::Kind::model},
                      {"TYPE", "Q4_K_M, Q8_0, IQ4_XS, …: a wrong one lists all", true, false,
                       ArgumentSpec::Kind::text, mix_names()},
                      {"FILE", "where to; NAME-TYPE.gguf here without it", false, false,
                       ArgumentSpec::Kind::file}},
        .options = {{"imatrix", "FILE", "weigh errors by an importance matrix (strata imatrix)"},
                    {"pure", "", "one type for all matrices, no mixture"},
                    {"embedding", "TYPE", "another type for the token embedding"},
                    {"head", "TYPE", "another type for the output head"},
                    {"check", "TEXT", "a text file: perplexity and KL divergence to the source"},
                    {"chunks", "N", "of the check only the first N chunks"},
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
    const Rewriting job = prepare_rewriting(request_of(arguments));
    std::optional<ChunkedText> check;
    if (text) check = text_of_check(job, *text);
    tell_rewriting(job);
    if (arguments.has("dry-run")) {
      if (arguments.has("json")) print_json(rewriting_json(job, {}, std::nullopt));
      return 0;
    }
    const auto results = write_rewriting(job, arguments, threads > 0 ? threads : usable_cores());
    std::optional<inference::Divergence> checked;
    if (check) checked = check_rewriting(job, arguments, *check);
    if (arguments.has("json")) {
      print_json(rewriting_json(job, results, checked));
    } else {
      print_rewriting(job, checked);
    }
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<Quantize>()};

}  // namespace
}  // namespace strata::app
