#include <algorithm>

#include "app/cli/help.h"
#include "core/ascii.h"
#include "core/config.h"
#include "core/error.h"

namespace strata::app {
namespace {

// roff treats a leading dot or quote as a request, and backslashes as escapes.
std::string escape_roff(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool line_start = i == 0 || text[i - 1] == '\n';
    if (line_start && (text[i] == '.' || text[i] == '\'')) out += "\\&";
    if (text[i] == '\\')
      out += "\\e";
    else if (text[i] == '-')
      out += "\\-";
    else
      out += text[i];
  }
  return out;
}

std::string page_name(std::string_view command) {
  std::string name = "strata-" + std::string(command);
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

std::string title(const std::string& name, std::string_view summary) {
  return ".TH " + upper_case(name) + " 1\n.SH NAME\n" + escape_roff(name) + " \\- " +
         escape_roff(summary) + "\n";
}

std::string option_list(const std::vector<OptionSpec>& options) {
  std::string out;
  for (const auto& option : options) {
    if (option.hidden) continue;
    out += ".TP\n\\fB";
    if (option.letter != 0) out += fmt::format("\\-{}\\fR, \\fB", option.letter);
    out += "\\-\\-" + escape_roff(option.name) + "\\fR";
    if (!option.value.empty()) out += " \\fI" + escape_roff(option.value) + "\\fR";
    out += "\n" + escape_roff(option.help) + "\n";
  }
  return out;
}

}  // namespace

std::string man_page(const CommandSpec& spec) {
  std::string out = title(page_name(spec.name), spec.summary);
  out += ".SH SYNOPSIS\n\\fBstrata " + escape_roff(spec.name) + "\\fR [options]";
  for (const auto& argument : spec.arguments) {
    out += argument.required ? " \\fI" : " [\\fI";
    out += escape_roff(argument.name) + (argument.repeated ? "...\\fR" : "\\fR");
    if (!argument.required) out += "]";
  }
  out += "\n";
  if (!spec.description.empty()) out += ".SH DESCRIPTION\n" + escape_roff(spec.description) + "\n";
  if (!spec.arguments.empty()) {
    out += ".SH ARGUMENTS\n";
    for (const auto& argument : spec.arguments) {
      out +=
          ".TP\n\\fI" + escape_roff(argument.name) + "\\fR\n" + escape_roff(argument.help) + "\n";
    }
  }
  out += ".SH OPTIONS\n" + option_list(spec.options) + option_list(common_options());
  if (!spec.examples.empty()) {
    out += ".SH EXAMPLES\n";
    for (const auto& example : spec.examples) {
      out += ".TP\n\\fB" + escape_roff(example.line) + "\\fR\n" + escape_roff(example.what) + "\n";
    }
  }
  return out + ".SH SEE ALSO\n\\fBstrata\\fR(1)\n";
}

std::string man_overview() {
  std::string out = title("strata", "run, serve and use open models on your own machine");
  out += ".SH SYNOPSIS\n\\fBstrata\\fR \\fICOMMAND\\fR [words]\n.SH COMMANDS\n";
  for (const Command* command : all_commands()) {
    out += ".TP\n\\fB" + escape_roff(page_name(command->spec().name)) + "\\fR(1)\n" +
           escape_roff(command->spec().summary) + "\n";
  }
  out +=
      ".SH EXIT STATUS\n0 success; 1 failure; 2 wrong usage or input; 3 not found; 4 cannot be "
      "reached or took too long; 5 not allowed; 6 out of memory, disk or places; 7 damaged data; "
      "8 refused by policy; 130 interrupted.\n";
  out +=
      ".SH ENVIRONMENT\nSettings stand in strata.yaml in the configuration folder; these "
      "variables go over it, flags over them.\n";
  for (const auto& setting : settings()) {
    out += ".TP\n";
    for (const auto name : setting.environment) {
      out += (name == setting.environment[0] ? "\\fB" : ", \\fB") + escape_roff(name) + "\\fR";
    }
    out += "\n" + escape_roff(setting.help) + fmt::format(" ({})\n", escape_roff(setting.key));
  }
  out +=
      ".TP\n\\fBSTRATA_HOME\\fR\nthe folder for everything: models, keys, settings, history\n"
      ".TP\n\\fBSTRATA_API_KEY\\fR\nthe key that run, ps and stop send to the server\n"
      ".TP\n\\fBOLLAMA_MODELS\\fR\nwhere strata import looks for Ollama's models\n";
  return out;
}

}  // namespace strata::app
