// Reading and writing Modelfiles. What is done with one: modelfile_create.cpp.
#include "models/hub/modelfile.h"

#include <algorithm>

#include "core/ascii.h"
#include "core/error.h"
#include "core/similar.h"
#include "core/utf8.h"
#include "models/parameters.h"

namespace strata::models {
namespace {

[[noreturn]] void refuse(size_t line, const std::string& why, std::string hint = {}) {
  throw Error(Code::invalid_argument, fmt::format("Modelfile line {}: {}", line, why),
              std::move(hint));
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::string_view trim_end(std::string_view text) {
  return text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
}

std::string_view trim_begin(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
}

// The first word of a line. What follows stays in `rest`, with the blanks at its end: they belong
// to a text of several lines.
std::string_view first_word(std::string_view& rest) {
  rest = trim_begin(rest);
  const size_t end = std::min(rest.find_first_of(" \t\r"), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest = trim_begin(rest.substr(end));
  return word;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Modelfile read() {
    while (at_ < text_.size()) instruction(next_line());
    if (out_.from.empty()) {
      refuse(line_ == 0 ? 1 : line_, "there is no FROM",
             "begin with a line such as: FROM smollm2:135m");
    }
    return std::move(out_);
  }

 private:
  std::string_view next_line() {
    const size_t end = std::min(text_.find('\n', at_), text_.size());
    const std::string_view line = text_.substr(at_, end - at_);
    at_ = std::min(end + 1, text_.size());
    ++line_;
    return line;
  }

  // A value: """ over several lines """, "quoted", or the rest of the line as it stands.
  std::string value(std::string_view rest) {
    constexpr std::string_view kFence = "\"\"\"";
    if (!rest.starts_with(kFence)) {
      rest = trim_end(rest);
      if (rest.size() >= 2 && rest.front() == '"' && rest.back() == '"') {
        rest = rest.substr(1, rest.size() - 2);
      }
      return std::string(rest);
    }
    const size_t opened = line_;
    std::string out;
    std::string_view line = rest.substr(kFence.size());
    // It closes where a line ends in the fence: one in the middle of a line is text.
    while (!trim_end(line).ends_with(kFence)) {
      if (at_ >= text_.size()) refuse(opened, "the \"\"\" is never closed");
      if (line.ends_with('\r')) line.remove_suffix(1);
      out += line;
      out += '\n';
      line = next_line();
    }
    out += trim_end(line).substr(0, trim_end(line).size() - kFence.size());
    return out;
  }

  void instruction(std::string_view line) {
    std::string_view rest = line;
    const std::string_view written = first_word(rest);
    if (written.empty() || written.front() == '#') return;
    const std::string word = upper_case(written);
    if (rest.empty()) refuse(line_, fmt::format("{} needs a value", word));
    if (word == "FROM") {
      if (!out_.from.empty()) refuse(line_, "FROM stands twice");
      out_.from = value(rest);
      if (out_.from.empty()) refuse(line_, "FROM needs a model");
    } else if (word == "PARAMETER") {
      parameter(rest);
    } else if (word == "SYSTEM") {
      out_.overrides.system = value(rest);
      out_.no_system = out_.overrides.system.empty();
    } else if (word == "TEMPLATE") {
      chat_template(rest);
    } else if (word == "MESSAGE") {
      message(rest);
    } else if (word == "LICENSE" || word == "LICENCE") {
      out_.licences.push_back(value(rest));
    } else {
      unknown(word, written);
    }
  }

  void unknown(const std::string& word, std::string_view written) {
    if (word == "ADAPTER") {
      refuse(line_, "ADAPTER is not supported",
             "merge the adapter into the model first and name the merged file in FROM");
    }
    if (word == "REQUIRES") {
      refuse(line_, "REQUIRES names a version of another program", "remove the line");
    }
    static const std::vector<std::string> kKnown{"FROM",     "PARAMETER", "SYSTEM",
                                                 "TEMPLATE", "MESSAGE",   "LICENSE"};
    refuse(line_, fmt::format("unknown instruction '{}'", written), did_you_mean(word, kKnown));
  }

  void parameter(std::string_view rest) {
    const size_t line = line_;
    const std::string name(first_word(rest));
    if (rest.empty()) refuse(line, fmt::format("PARAMETER {} needs a value", name));
    const std::string text = value(rest);
    try {
      const ParameterValue read = read_parameter(name, text);
      if (read.rule->max_times == 1) out_.overrides.parameters.erase(name);  // the last one counts
    } catch (const Error& error) {
      refuse(line, error.message(), error.hint());
    }
    out_.overrides.parameters.emplace(name, text);
  }

  void chat_template(std::string_view rest) {
    const size_t line = line_;
    const std::string text = value(rest);
    if (is_go_template(text)) {
      refuse(line, "the TEMPLATE is written for Go, Strata's templates are Jinja",
             "remove TEMPLATE to use the one in the model's own file, or write it in Jinja: "
             "{% for message in messages %}…");
    }
    out_.overrides.chat_template = text;
  }

  void message(std::string_view rest) {
    const size_t line = line_;
    const std::string role(first_word(rest));
    if (role != "system" && role != "user" && role != "assistant") {
      refuse(line, fmt::format("MESSAGE: '{}' is no role", role), "use system, user or assistant");
    }
    Message message;
    message.role = role;
    message.content = value(rest);
    out_.overrides.messages.push_back(std::move(message));
  }

  std::string_view text_;
  size_t at_ = 0;
  size_t line_ = 0;
  Modelfile out_;
};

bool ends_a_line_with_the_fence(std::string_view text) {
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    // The last line ends in the fence that closes the text, whatever stands before it.
    if (end < text.size() && trim_end(text.substr(at, end - at)).ends_with("\"\"\"")) return true;
    at = end + 1;
  }
  return false;
}

// So that value() reads the same text again.
std::string written(std::string_view text) {
  const bool one_line = text.find_first_of("\n\r") == std::string_view::npos;
  const bool plain = one_line && !text.empty() && text == trim(text) && text.front() != '"';
  if (plain) return std::string(text);
  if (one_line && !text.starts_with("\"\"") && text != "\"") return fmt::format("\"{}\"", text);
  if (ends_a_line_with_the_fence(text)) {
    throw Error(
        Code::failed_precondition,
        "a text with a line that ends in three quotation marks cannot stand in a Modelfile");
  }
  std::string lines;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n' && i > 0 && text[i - 1] == '\r') lines += '\r';  // value() takes one away
    lines += text[i];
  }
  return fmt::format("\"\"\"{}\"\"\"", lines);
}

}  // namespace

// Go's actions name fields and variables with a dot or a dollar, or are one of its keywords; Jinja
// has neither form.
bool is_go_template(std::string_view text) {
  for (size_t at = text.find("{{"); at != std::string_view::npos; at = text.find("{{", at + 2)) {
    std::string_view action = text.substr(at + 2);
    if (action.starts_with('-')) action.remove_prefix(1);
    action.remove_prefix(std::min(action.find_first_not_of(" \t\n"), action.size()));
    if (action.starts_with('$') || action.starts_with("/*")) return true;
    if (action.starts_with('.') && action.size() > 1 &&
        (is_ascii_letter(action[1]) || action[1] == ' ' || action[1] == '}')) {
      return true;
    }
    for (const std::string_view word : {"if ", "range ", "end", "else", "with ", "block ",
                                        "define ", "template ", "eq ", "and ", "or ", "not ."}) {
      if (!action.starts_with(word)) continue;
      const char next = action.size() > word.size() ? action[word.size()] : '}';
      const bool whole = word.ends_with(' ') || word.ends_with('.') ||
                         std::string_view(" -}").find(next) != std::string_view::npos;
      if (whole) return true;
    }
  }
  return false;
}

Modelfile parse_modelfile(std::string_view text) {
  if (text.size() > kMaxModelfileBytes) {
    throw Error(Code::invalid_argument,
                fmt::format("a Modelfile of {} bytes is over the limit of {}", text.size(),
                            kMaxModelfileBytes));
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (!is_valid_utf8(text)) throw Error(Code::invalid_argument, "the Modelfile is not UTF-8");
  return Reader(text).read();
}

std::string to_text(const Modelfile& modelfile) {
  std::string out = fmt::format("FROM {}\n", written(modelfile.from));
  const ModelOverrides& overrides = modelfile.overrides;
  if (overrides.chat_template)
    out += fmt::format("TEMPLATE {}\n", written(*overrides.chat_template));
  if (!overrides.system.empty() || modelfile.no_system)
    out += fmt::format("SYSTEM {}\n", written(overrides.system));
  for (const auto& [name, value] : overrides.parameters) {
    out += fmt::format("PARAMETER {} {}\n", name, written(value));
  }
  for (const auto& message : overrides.messages) {
    out += fmt::format("MESSAGE {} {}\n", message.role, written(message.content));
  }
  for (const auto& licence : modelfile.licences) {
    out += fmt::format("LICENSE {}\n", written(licence));
  }
  return out;
}

}  // namespace strata::models
