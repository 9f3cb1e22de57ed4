#include "app/cli/help.h"
#include "core/error.h"

namespace strata::app {
namespace {

bool takes_model(const CommandSpec& spec) {
  return !spec.arguments.empty() && spec.arguments[0].kind == ArgumentSpec::Kind::model;
}

std::string option_words(const CommandSpec& spec) {
  std::string words;
  for (const auto* list : {&spec.options, &common_options()}) {
    for (const auto& option : *list) {
      if (!option.hidden) words += "--" + std::string(option.name) + " ";
    }
  }
  return words;
}

// The words that the first argument may be.
std::string argument_words(const CommandSpec& spec) {
  std::string words;
  if (spec.arguments.empty()) return words;
  for (const auto choice : spec.arguments[0].choices) words += std::string(choice) + " ";
  if (takes_model(spec)) words += "$(strata list --names 2>/dev/null) ";
  return words;
}

// Commands of one word and the first words of groups, once each.
std::string first_words() {
  std::string words;
  std::string last;
  for (const Command* command : all_commands()) {
    const std::string first(command->spec().name.substr(0, command->spec().name.find(' ')));
    if (first != last) words += first + " ";
    last = first;
  }
  return words;
}

std::string second_words(std::string_view group) {
  std::string words;
  for (const Command* command : all_commands()) {
    const auto name = command->spec().name;
    if (name.starts_with(std::string(group) + " "))
      words += std::string(name.substr(group.size() + 1)) + " ";
  }
  return words;
}

std::string bash_case(const Command* command) {
  const auto& spec = command->spec();
  const std::string words = argument_words(spec) + option_words(spec);
  return fmt::format("    \"{}\") words=\"{}\" ;;\n", spec.name, words);
}

// Where a colon parts words (COMP_WORDBREAKS), bash hands over "smollm2", ":", "135m": `typed`
// has the words as they stand on the line, up to the cursor's, which is number `n`.
constexpr std::string_view kJoinWords =
    "  local i=0 n=-1 word; local -a typed; typed=()\n"
    "  while [ \"$i\" -le \"$COMP_CWORD\" ]; do\n"
    "    word=${COMP_WORDS[$i]}; i=$((i + 1))\n"
    "    if [ \"$n\" -gt 0 ] && case \"${typed[$n]} $word\" in *:\\ *|*\\ :*) ;; *) false ;; esac\n"
    "    then typed[$n]=\"${typed[$n]}$word\"\n"
    "    else n=$((n + 1)); typed[$n]=$word; fi\n"
    "  done\n";

// And it puts only what is behind the last colon into the line.
constexpr std::string_view kCutColons =
    "  case \"${COMP_WORDBREAKS-} $current\" in *:*\\ *:*)\n"
    "    word=${current%\"${current##*:}\"}; COMPREPLY=(\"${COMPREPLY[@]#\"$word\"}\") ;; esac\n";

std::string bash() {
  std::string cases;
  std::string groups;
  for (const Command* command : all_commands()) {
    cases += bash_case(command);
    const auto name = command->spec().name;
    const auto group = name.substr(0, name.find(' '));
    if (group != name && groups.find(fmt::format("    \"{}\")", group)) == std::string::npos) {
      groups += fmt::format("    \"{}\") words=\"{}\" ;;\n", group, second_words(group));
    }
  }
  return fmt::format(
      "_strata() {{\n"
      "{}"
      "  local current=${{typed[$n]}} one=${{typed[1]-}} two words=\n"
      "  two=\"$one ${{typed[2]-}}\"\n"
      "  if [ \"$n\" = 1 ]; then words=\"{}\"; fi\n"
      "  if [ \"$n\" = 2 ]; then case \"$one\" in\n{}  esac; fi\n"
      "  [ -n \"$words\" ] || case \"$two\" in\n{}  esac\n"
      "  [ -n \"$words\" ] || case \"$one\" in\n{}  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
      "{}"
      "}}\ncomplete -o default -F _strata strata\n",
      kJoinWords, first_words(), groups, cases, cases, kCutColons);
}

std::string zsh() {
  return "#compdef strata\n"
         "whence compdef >/dev/null || { autoload -Uz compinit && compinit -i; }\n"
         "autoload -U +X bashcompinit && bashcompinit\n" +
         bash();
}

// Where a word is completed: behind the one or two words of a command.
std::string fish_place(std::string_view name) {
  const size_t space = name.find(' ');
  std::string place = fmt::format("__fish_seen_subcommand_from {}", name.substr(0, space));
  if (space != std::string_view::npos) {
    place += fmt::format("; and __fish_seen_subcommand_from {}", name.substr(space + 1));
  }
  return fmt::format("-n \"{}\"", place);
}

std::string fish_options(std::string_view place, const std::vector<OptionSpec>& options) {
  std::string out;
  for (const auto& option : options) {
    if (option.hidden) continue;
    out += fmt::format("complete -c strata {} -l {}{}\n", place, option.name,
                       option.value.empty() ? "" : " -r");
  }
  return out;
}

std::string fish() {
  std::string out =
      fmt::format("complete -c strata -f -n __fish_use_subcommand -a \"{}\"\n", first_words());
  out += fish_options("", common_options());
  for (const Command* command : all_commands()) {
    const auto& spec = command->spec();
    const std::string_view first = spec.name.substr(0, spec.name.find(' '));
    if (first != spec.name) {
      out += fmt::format("complete -c strata -f {} -a \"{}\"\n", fish_place(first),
                         spec.name.substr(first.size() + 1));
    }
    const std::string here = fish_place(spec.name);
    out += fish_options(here, spec.options);
    for (const auto choice :
         spec.arguments.empty() ? std::vector<std::string_view>{} : spec.arguments[0].choices) {
      out += fmt::format("complete -c strata -f {} -a {}\n", here, choice);
    }
    if (takes_model(spec)) {
      out +=
          fmt::format("complete -c strata -f {} -a \"(strata list --names 2>/dev/null)\"\n", here);
    }
  }
  return out;
}

}  // namespace

std::string completion_script(std::string_view shell) {
  if (shell == "bash") return bash();
  if (shell == "zsh") return zsh();
  if (shell == "fish") return fish();
  throw Error(Code::invalid_argument, fmt::format("no completion for the shell '{}'", shell),
              "use bash, zsh or fish");
}

}  // namespace strata::app
