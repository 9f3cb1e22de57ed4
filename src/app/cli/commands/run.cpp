// strata run [MODEL] [PROMPT…]
#include <array>
#include <cerrno>

#include <unistd.h>

#include "app/assembly.h"
#include "app/cli/chat/session.h"
#include "app/cli/chat/slash.h"
#include "app/cli/command.h"
#include "app/cli/line_editor.h"
#include "app/cli/output.h"
#include "app/cli/pull_progress.h"
#include "core/config.h"
#include "core/error.h"
#include "core/os.h"
#include "models/hub/modelfile.h"

namespace strata::app {
namespace {

constexpr size_t kMaxPipedBytes = 16u << 20;

// Options of `run` that set a parameter of the same meaning.
struct ParameterOption {
  std::string_view option;
  std::string_view parameter;
  std::string_view help;
};
constexpr ParameterOption kParameterOptions[]{
    {"temperature", "temperature", "0: always the most likely token"},
    {"top-k", "top_k", "choose among the K most likely; 0: all"},
    {"top-p", "top_p", "choose among the likeliest that sum up to P"},
    {"min-p", "min_p", "leave out what is less likely than P times the likeliest"},
    {"repeat-penalty", "repeat_penalty", "1: none"},
    {"seed", "seed", "the same seed gives the same answer"},
    {"max-tokens", "num_predict", "length limit of an answer"},
    {"context", "num_ctx", "positions to provide for prompt and answer"},
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
          "it is used; otherwise the model runs in this process.",
      .arguments = {{"MODEL", "a name; without it the default model", false, false,
                     ArgumentSpec::Kind::model},
                    {"PROMPT", "the prompt; text from a pipe is put behind it", false, true}},
      .options = {{"system", "TEXT", "system message"},
                  {"verbose", "", "print speeds on stderr after each answer"},
                  {"keep-alive", "TIME", "how long the server keeps the model loaded"},
                  {"format", "FORMAT", "hold the answer to a format (not available yet)"},
                  {"local", "", "do not use a server, run in this process"},
                  {"nohistory", "", "keep nothing of what is typed"}},
      .examples = {{"strata run smollm2:135m", "open a chat"},
                   {"strata run smollm2:135m \"Why is the sky blue?\"", "one answer on stdout"},
                   {"strata run smollm2:135m \"Summarise:\" < notes.txt", "text from a pipe"},
                   {"strata run smollm2:135m --seed 1 --temperature 0.2 \"Hi\"", "with settings"}}};
  for (const auto& row : kParameterOptions) {
    spec.options.push_back({row.option, "N", row.help});
  }
  return spec;
}

std::string read_pipe() {
  std::string text;
  std::array<char, 65536> bytes{};
  while (true) {
    const ssize_t n = read(STDIN_FILENO, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return text;
    text.append(bytes.data(), static_cast<size_t>(n));
    if (text.size() > kMaxPipedBytes) {
      throw Error(Code::invalid_argument,
                  fmt::format("standard input is over the limit of {} bytes", kMaxPipedBytes));
    }
  }
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

// Makes the session's model `name`: fetched when it is not here, its own messages in front.
void open_model(ChatSession& session, const Config& config, const std::string& name) {
  const models::Store store;
  auto manifest = store.try_find(name);
  if (!manifest) manifest = pull_with_progress(store, name, pull_options(config)).manifest;
  session.model = manifest->name;
  session.base_model = !has_chat_template(store, *manifest);
  session.messages = {};
  if (session.base_model) {
    complain(fmt::format("note: {} is a base model: it continues the text that you give it",
                         manifest->name));
  }
}

void save_session(const ChatSession& session, const std::string& name) {
  const models::Store store;
  models::Manifest manifest = store.find(session.model);
  manifest.parent = manifest.name;
  manifest.name = models::parse_model_name(name).full();
  manifest.source = "create";
  manifest.created = unix_seconds();
  if (!session.system.empty()) manifest.overrides.system = session.system;
  auto& messages = manifest.overrides.messages;
  messages.insert(messages.end(), session.messages.begin(), session.messages.end());
  for (const auto& [key, value] : set_parameters(session)) {
    if (key != "stop") manifest.overrides.parameters.erase(key);
    manifest.overrides.parameters.emplace(key, value);
  }
  store.put_manifest(manifest);
  complain("saved as " + manifest.name);
}

int run_named(const char* command, const std::vector<std::string>& words) {
  const Command* found = find_command({command}).first;
  return found->run(parse_arguments(found->spec(), words));
}

SlashActions slash_actions(ChatSession& session, const Config& config, LineEditor& editor) {
  return {
      .load = [&](const std::string& name) { open_model(session, config, name); },
      .save = [&](const std::string& name) { save_session(session, name); },
      .show =
          [&](const std::string& what) {
            std::vector<std::string> words{session.model};
            if (what != "info") words.push_back("--" + what);
            run_named("show", words);
          },
      .list = [] { run_named("list", {}); },
      .history = [&](bool enabled) { editor.set_history_enabled(enabled); },
  };
}

void complain_about(const Error& error) {
  complain("error: " + error.message());
  if (!error.hint().empty()) complain("hint: " + error.hint());
}

int chat(ChatSession& session, api::Backend& backend, const Config& config, bool keep_typed) {
  LineEditor editor(directories().state / "history");
  editor.set_history_enabled(keep_typed);
  editor.set_placeholder("Send a message (/? for help)");
  const SlashActions actions = slash_actions(session, config, editor);
  while (true) {
    const auto input = editor.read(">>> ");
    if (input.end == LineEditor::End::closed) return 0;
    if (input.end == LineEditor::End::interrupted) {
      complain("to leave: /bye or Ctrl-D");
      continue;
    }
    if (input.text.find_first_not_of(" \t\n") == std::string::npos) continue;
    try {
      if (input.text[0] != '/')
        ask(session, backend, input.text);
      else if (run_slash(input.text, session, actions) == SlashResult::leave)
        return 0;
    } catch (const Error& error) {
      complain_about(error);
    }
  }
}

class Run : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec = make_spec();
    return spec;
  }

  int run(const Arguments& arguments) const override {
    if (arguments.has("format")) {
      throw Error(Code::unimplemented, "--format: answers cannot be held to a format yet",
                  "ask for JSON in the prompt and check what comes back");
    }
    Config config = Config::load();
    if (arguments.has("offline")) config.set("offline", "true", "--offline");
    ChatSession session;
    for (const auto& row : kParameterOptions) {
      if (const auto value = arguments.value(row.option))
        set_parameter(session, row.parameter, {*value});
    }
    session.system = arguments.value("system").value_or("");
    session.verbose = arguments.has("verbose");
    if (const auto time = arguments.value("keep-alive"))
      session.keep_alive_ms = parse_duration_ms(*time);

    const std::string prompt = prompt_from(arguments);
    if (prompt.empty() && !stdin_is_terminal()) {
      throw Error(Code::invalid_argument, "no prompt: standard input is empty",
                  "give one: strata run MODEL \"prompt\"");
    }
    open_model(session, config,
               arguments.words().empty() ? config.text("model") : arguments.words()[0]);
    const auto backend = connect_backend(config, arguments.has("local"));
    if (!prompt.empty()) {
      ask(session, *backend, prompt);
      return 0;
    }
    return chat(session, *backend, config,
                config.boolean("history") && !arguments.has("nohistory"));
  }
};

const Registered<Command> registered{std::make_unique<Run>()};

}  // namespace
}  // namespace strata::app
