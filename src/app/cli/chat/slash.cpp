#include "app/cli/chat/slash.h"

#include <algorithm>
#include <sstream>

#include "app/cli/chat/format.h"
#include "app/cli/chat/parameters.h"
#include "app/cli/output.h"
#include "core/error.h"
#include "core/similar.h"

namespace strata::app {
namespace {

constexpr std::string_view kHelp =
    "  /set parameter NAME VALUE   temperature, top_p, seed, num_ctx, stop, …\n"
    "  /set system TEXT            the system message; \"\": none; no text: the model's own\n"
    "  /set format FORMAT          json, a JSON Schema or its file, a grammar's file; noformat\n"
    "  /set history|nohistory      keep what is typed\n"
    "  /set verbose|quiet          show speeds\n"
    "  /set wordwrap|nowordwrap    break lines at words\n"
    "  /show WHAT                  info, parameters, system, template, licence, modelfile\n"
    "  /load MODEL                 go on with another model\n"
    "  /save NAME [--force]        keep this conversation as a model\n"
    "  /clear                      forget the conversation, also what the model brings\n"
    "  /list                       the models on this machine\n"
    "  /bye                        leave (also Ctrl-D)\n"
    "  /?                          this help\n"
    "  \"\"\"                         begins and ends a text of several lines\n"
    "\nkeys:\n"
    "  Up, Down                    lines that were typed before\n"
    "  Ctrl-A, Ctrl-E              to the line's start, its end\n"
    "  Alt-B, Alt-F                a word back, a word on\n"
    "  Ctrl-W, Ctrl-U, Ctrl-K      delete the word, to the start, to the end\n"
    "  Ctrl-L                      clear the screen\n"
    "  Ctrl-C                      stop the answer; forget the line\n"
    "  Ctrl-D                      leave\n";

const std::vector<std::string> kVerbs{"/set", "/show", "/load", "/save", "/clear", "/list",
                                      "/bye", "/exit", "/quit", "/help", "/?"};
const std::vector<std::string> kSettable{"parameter", "system",    "format",  "noformat",
                                         "history",   "nohistory", "verbose", "quiet",
                                         "wordwrap",  "nowordwrap"};
const std::vector<std::string> kShowable{"info",     "parameters", "system",
                                         "template", "licence",    "modelfile"};

std::string hint_for(const std::string& word, const std::vector<std::string>& known) {
  std::string hint = did_you_mean(word, known);
  if (!hint.empty()) return hint;
  for (const auto& one : known) hint += (hint.empty() ? "known: " : ", ") + one;
  return hint;
}

std::vector<std::string> split_words(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

// The text behind the first n words of the line.
std::string rest_after(const std::string& line, size_t n) {
  size_t at = 0;
  for (size_t i = 0; i < n; ++i) {
    at = line.find_first_not_of(" \t", at);
    if (at == std::string::npos) return {};
    at = line.find_first_of(" \t", at);
    if (at == std::string::npos) return {};
  }
  at = line.find_first_not_of(" \t", at);
  return at == std::string::npos ? std::string() : line.substr(at);
}

std::string unquote(std::string text) {
  for (const std::string_view quotes : {"\"\"\"", "\""}) {
    if (text.size() >= 2 * quotes.size() && text.starts_with(quotes) && text.ends_with(quotes)) {
      return text.substr(quotes.size(), text.size() - 2 * quotes.size());
    }
  }
  return text;
}

void set(const std::vector<std::string>& words, const std::string& line, ChatSession& session,
         const SlashActions& actions) {
  const std::string what = words.size() > 1 ? words[1] : "";
  if (what == "parameter" && words.size() >= 4) {
    set_parameter(session, words[2], {words.begin() + 3, words.end()});
    complain(fmt::format("{} = {}", words[2], rest_after(line, 3)));
  } else if (what == "system") {
    ChatSession changed = session;
    changed.system.reset();
    if (words.size() > 2) changed.system = unquote(rest_after(line, 2));
    check_system(changed);
    session.system = changed.system;
    complain(!session.system           ? "the system message is the model's own, if it has one"
             : session.system->empty() ? "no system message"
                                       : "the system message is set");
  } else if (what == "history" || what == "nohistory") {
    actions.history(what == "history");
  } else if (what == "verbose" || what == "quiet") {
    session.verbose = what == "verbose";
  } else if (what == "wordwrap" || what == "nowordwrap") {
    session.word_wrap = what == "wordwrap";
  } else if (what == "parameter") {
    throw Error(Code::invalid_argument, "/set parameter needs a name and a value",
                "for example: /set parameter temperature 0.7");
  } else if (what == "format" && words.size() > 2) {
    session.output = read_format(unquote(rest_after(line, 2)));
    complain("every answer is JSON that fits");
  } else if (what == "format") {
    throw Error(Code::invalid_argument, "/set format needs json, a JSON Schema, or its file",
                "for example: /set format json");
  } else if (what == "noformat") {
    session.output = {};
  } else {
    throw Error(Code::invalid_argument,
                what.empty() ? "/set needs a word" : fmt::format("/set does not know '{}'", what),
                hint_for(what, kSettable));
  }
}

void show(std::string what, const ChatSession& session, const SlashActions& actions) {
  if (what == "license") what = "licence";
  if (std::find(kShowable.begin(), kShowable.end(), what) == kShowable.end()) {
    throw Error(Code::invalid_argument, fmt::format("/show does not know '{}'", what),
                hint_for(what, kShowable));
  }
  if (what == "system" && session.system) {
    print(*session.system + "\n");
    return;
  }
  if (what == "parameters") {
    for (const auto& [name, value] : set_parameters(session)) {
      print(fmt::format("  {:<20}{}  (set in this chat)\n", name, value));
    }
  }
  actions.show(what);
}

std::string word_after(const std::vector<std::string>& words, std::string_view what) {
  if (words.size() == 2) return words[1];
  throw Error(Code::invalid_argument, fmt::format("{} needs {}", words[0], what));
}

}  // namespace

SlashResult run_slash(const std::string& line, ChatSession& session, const SlashActions& actions) {
  const auto words = split_words(line);
  const std::string& verb = words.at(0);
  if (verb == "/bye" || verb == "/exit" || verb == "/quit") return SlashResult::leave;
  if (verb == "/?" || verb == "/help") {
    print(kHelp);
  } else if (verb == "/set") {
    set(words, line, session, actions);
  } else if (verb == "/show") {
    show(words.size() > 1 ? words[1] : "info", session, actions);
  } else if (verb == "/clear") {
    session.messages.clear();
    session.model_messages = false;
    complain("the conversation is forgotten");
  } else if (verb == "/load") {
    actions.load(word_after(words, "the name of a model"));
  } else if (verb == "/save") {
    const bool force = words.size() == 3 && words[2] == "--force";
    actions.save(force ? words[1] : word_after(words, "a name"), force);
  } else if (verb == "/list") {
    actions.list();
  } else {
    throw Error(Code::invalid_argument, fmt::format("there is no command {}", verb),
                verb.size() > 1 ? hint_for(verb, kVerbs) : "see: /?");
  }
  return SlashResult::done;
}

}  // namespace strata::app
