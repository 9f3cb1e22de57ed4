// strata run [MODEL] [PROMPT…]
#include "app/assembly.h"
#include "app/cli/chat/chat.h"
#include "app/cli/chat/format.h"
#include "app/cli/chat/parameters.h"
#include "app/cli/command.h"
#include "app/cli/ignored.h"
#include "app/cli/load_config.h"
#include "app/cli/model_file.h"
#include "app/cli/output.h"
#include "app/cli/pipe.h"
#include "app/cli/pull_progress.h"
#include "core/config.h"
#include "core/cpu.h"
#include "core/duration.h"
#include "core/error.h"
#include "models/hub/source.h"

namespace strata::app {
namespace {

// Options of `run` that set a parameter of the same meaning.
struct ParameterOption {
  std::string_view option;
  std::string_view parameter;
  std::string_view value;
  std::string_view help;
};
constexpr ParameterOption kParameterOptions[]{
    {"temperature", "temperature", "T", "0: always the most likely token"},
    {"top-k", "top_k", "K", "choose among the K most likely; 0: all"},
    {"top-p", "top_p", "P", "choose among the likeliest that sum up to P"},
    {"min-p", "min_p", "P", "leave out what is less likely than P times the likeliest"},
    {"repeat-penalty", "repeat_penalty", "X", "1: none"},
    {"seed", "seed", "N", "the same seed gives the same answer; -1: a new one each time"},
    {"max-tokens", "num_predict", "N", "length limit of an answer"},
    {"context", "num_ctx", "N", "positions to provide for prompt and answer"},
};

CommandSpec make_spec() {
  CommandSpec spec{
      .name = "run",
      .summary = "chat with a model, or get one answer",
      .description =
          "Without a prompt it opens a chat. With a prompt, or text on standard input, it prints "
          "one\n"
          "answer and ends. A model that is not here is fetched first. Where a strata server "
          "answers\n"
          "it is used; otherwise the model runs in this process. A server that asks for a key gets "
          "the\n"
          "one in STRATA_API_KEY.",
      .arguments = {{"MODEL", "a name, ./FILE.gguf or ./FOLDER; without it the default model",
                     false, false, ArgumentSpec::Kind::model},
                    {"PROMPT", "the prompt; text from a pipe is put behind it", false, true}},
      .options = {{"system", "TEXT", "system message instead of the model's own; \"\": none"},
                  {"quant", "TYPE",
                   "a model in F16, BF16 or F32 is fetched and quantised first (strata pull)"},
                  {"verbose", "", "print speeds on stderr after each answer"},
                  {"keep-alive", "TIME", "how long the server keeps the model loaded"},
                  {"format", "FORMAT",
                   "every answer is JSON (json, a JSON Schema, or the file of one), or by the\n"
                   "file of a grammar (.gbnf, .lark) or regex:EXPRESSION"},
                  {"local", "", "do not use a server, run in this process"},
                  {"nohistory", "", "keep nothing of what is typed"},
                  {"nowordwrap", "", "do not break lines at words on a terminal"}},
      .examples = {{"strata run smollm2:135m", "open a chat"},
                   {"strata run smollm2:135m \"Why is the sky blue?\"", "one answer on stdout"},
                   {"strata run ./Llama-3.2-1B \"Hi\"", "a folder with config.json and weights"},
                   {"strata run smollm2:135m \"Summarise:\" < notes.txt", "text from a pipe"},
                   {"strata run smollm2:135m --seed 1 --temperature 0.2 \"Hi\"", "with settings"},
                   {"strata run smollm2:135m --format person.json \"Invent a person\"",
                    "JSON that fits a schema"}}};
  for (const auto& row : kParameterOptions) {
    spec.options.push_back({row.option, row.value, row.help});
  }
  return spec;
}

// The prompt from the words and, where input is a pipe or a file, what comes from there.
std::string prompt_from(const Arguments& arguments) {
  std::string prompt;
  for (size_t i = 1; i < arguments.words().size(); ++i) {
    prompt += (i > 1 ? " " : "") + arguments.words()[i];
  }
  if (stdin_is_terminal()) return prompt;
  const std::string piped = read_pipe();
  if (piped.empty()) return prompt;
  return prompt.empty() ? piped : prompt + "\n\n" + piped;
}

class Run : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec = make_spec();
    return spec;
  }

  int run(const Arguments& arguments) const override {
    Config config = load_config(arguments);
    name_ignored_variables();
    ChatSession session;
    for (const auto& row : kParameterOptions) {
      if (const auto value = arguments.value(row.option))
        set_parameter(session, row.parameter, {*value});
    }
    session.system = arguments.value("system");
    if (const auto format = arguments.value("format")) session.output = read_format(*format);
    session.verbose = arguments.has("verbose");
    session.word_wrap = !arguments.has("nowordwrap");
    if (const auto time = arguments.value("keep-alive"))
      session.keep_alive_ms = parse_duration_ms(*time);

    const std::string prompt = prompt_from(arguments);
    if (prompt.empty() && !stdin_is_terminal()) {
      throw Error(Code::invalid_argument, "no prompt: standard input is empty",
                  "give one: strata run MODEL \"prompt\"");
    }
    const auto backend = connect_backend(config, arguments.has("local"));
    std::string model = arguments.words().empty() ? config.text("model") : arguments.words()[0];
    if (const auto quant = arguments.value("quant")) {
      refuse_bare_path(model);
      model = pull_quantized(models::Store(), models::as_reference(model), *quant,
                             pull_options(config), usable_cores())
                  .manifest.name;
    }
    open_model(session, *backend, config, model);
    check_system(session);
    if (!prompt.empty()) {
      const auto reason = ask(session, *backend, prompt);
      return reason == inference::FinishReason::cancelled ? exit_code(Code::cancelled) : 0;
    }
    return chat(session, *backend, config,
                config.boolean("history") && !arguments.has("nohistory"));
  }
};

const Registered<Command> registered{std::make_unique<Run>()};

}  // namespace
}  // namespace strata::app
