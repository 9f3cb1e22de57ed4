#include "app/cli/help.h"

#include <algorithm>

#include <fmt/core.h>

namespace strata::app {
namespace {

std::string usage_line(const CommandSpec& spec) {
  std::string line = "strata " + std::string(spec.name);
  if (!spec.options.empty()) line += " [options]";
  for (const auto& argument : spec.arguments) {
    const std::string word = std::string(argument.name) + (argument.repeated ? "…" : "");
    line += argument.required ? " " + word : " [" + word + "]";
  }
  return line;
}

std::string option_words(const OptionSpec& option) {
  std::string words = option.letter ? fmt::format("-{}, ", option.letter) : "    ";
  words += "--" + std::string(option.name);
  if (!option.value.empty()) words += " " + std::string(option.value);
  return words;
}

// Display columns of text that holds only ASCII and "…".
size_t columns(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string two_columns(const std::vector<std::pair<std::string, std::string>>& rows) {
  size_t width = 0;
  for (const auto& row : rows) width = std::max(width, columns(row.first));
  std::string out;
  for (const auto& [left, right] : rows) {
    out += "  " + left + std::string(width - columns(left) + 3, ' ');
    for (const char c : right) {
      out += c;
      if (c == '\n') out.append(width + 5, ' ');
    }
    out += "\n";
  }
  return out;
}

std::string options_table(const std::vector<OptionSpec>& options) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const auto& option : options) {
    if (!option.hidden) rows.emplace_back(option_words(option), option.help);
  }
  return two_columns(rows);
}

std::string commands_table(const std::vector<const Command*>& commands) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const Command* command : commands) {
    rows.emplace_back(command->spec().name, command->spec().summary);
  }
  return two_columns(rows);
}

}  // namespace

std::string help_for_group(std::string_view group) {
  return fmt::format("usage: strata {0} COMMAND [words]\n\ncommands:\n{1}", group,
                     commands_table(group_members(group))) +
         fmt::format("\nexamples:\n{}",
                     two_columns({{fmt::format("strata {} COMMAND --help", group),
                                   "what a command takes"}}));
}

std::string help_overview() {
  std::string out =
      "strata: run, serve and use open models on your own machine\n\n"
      "usage: strata COMMAND [words]\n\ncommands:\n";
  out += commands_table(all_commands());
  out += "\nexamples:\n" +
         two_columns({
             {"strata run smollm2:135m", "chat in the terminal"},
             {"strata run smollm2:135m \"Why is the sky blue?\"", "one answer on stdout"},
             {"strata serve", "answer over HTTP on 127.0.0.1:11434"},
             {"strata COMMAND --help", "what a command takes"},
         });
  return out;
}

std::string help_for(const CommandSpec& spec) {
  std::string out = fmt::format("{}\n\nusage: {}\n", spec.summary, usage_line(spec));
  if (!spec.description.empty()) out += "\n" + std::string(spec.description) + "\n";
  if (!spec.arguments.empty()) {
    std::vector<std::pair<std::string, std::string>> rows;
    for (const auto& argument : spec.arguments) rows.emplace_back(argument.name, argument.help);
    out += "\narguments:\n" + two_columns(rows);
  }
  if (!spec.options.empty()) out += "\noptions:\n" + options_table(spec.options);
  out += "\ncommon options:\n" + options_table(common_options());
  if (!spec.examples.empty()) {
    std::vector<std::pair<std::string, std::string>> rows;
    for (const auto& example : spec.examples) rows.emplace_back(example.line, example.what);
    out += "\nexamples:\n" + two_columns(rows);
  }
  return out;
}

}  // namespace strata::app
