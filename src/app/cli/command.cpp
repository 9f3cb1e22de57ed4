#include "app/cli/command.h"

#include <algorithm>
#include <charconv>

#include "core/ascii.h"
#include "core/error.h"
#include "core/similar.h"

namespace strata::app {
namespace {

template <typename T>
T parse_number(std::string_view option, std::string_view text, std::string_view what) {
  T value{};
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || result.ec != std::errc() || result.ptr != text.data() + text.size()) {
    throw Error(Code::invalid_argument,
                fmt::format("--{} is '{}', it must be {}", option, text, what));
  }
  return value;
}

const OptionSpec* find_option(const CommandSpec& spec, auto&& matches) {
  for (const auto* list : {&spec.options, &common_options()}) {
    const auto found = std::find_if(list->begin(), list->end(), matches);
    if (found != list->end()) return &*found;
  }
  return nullptr;
}

[[noreturn]] void unknown_option(const CommandSpec& spec, const std::string& word) {
  std::vector<std::string> known;
  for (const auto* list : {&spec.options, &common_options()}) {
    for (const auto& option : *list) {
      if (!option.hidden) known.push_back("--" + std::string(option.name));
    }
  }
  const std::string near = did_you_mean(word, known);
  throw Error(Code::invalid_argument, fmt::format("'{}' has no option {}", spec.name, word),
              near.empty() ? fmt::format("see: strata {} --help", spec.name) : near);
}

// Reads the option at words[at]; returns how many words it took.
size_t read_option(const CommandSpec& spec, const std::vector<std::string>& words, size_t at,
                   Arguments& out) {
  const std::string& word = words[at];
  const bool is_long = word.starts_with("--");
  const size_t equals = is_long ? word.find('=') : std::string::npos;
  const std::string name = is_long
                               ? word.substr(2, equals == std::string::npos ? equals : equals - 2)
                               : word.substr(1, 1);
  const OptionSpec* option = find_option(spec, [&](const OptionSpec& o) {
    return is_long ? o.name == name : (o.letter != 0 && name[0] == o.letter);
  });
  if (option == nullptr) unknown_option(spec, word.substr(0, equals));
  std::string value;
  size_t taken = 1;
  if (option->value.empty()) {
    if (equals != std::string::npos || (!is_long && word.size() > 2)) {
      throw Error(Code::invalid_argument, fmt::format("--{} takes no value", option->name));
    }
  } else if (equals != std::string::npos) {
    value = word.substr(equals + 1);
  } else if (!is_long && word.size() > 2) {
    value = word.substr(2);
  } else if (at + 1 < words.size()) {
    value = words[at + 1];
    taken = 2;
  } else {
    throw Error(Code::invalid_argument, fmt::format("--{} needs a value: --{} {}", option->name,
                                                    option->name, option->value));
  }
  auto& values = out.options_[std::string(option->name)];
  if (!values.empty() && !option->repeated && !option->value.empty()) {
    throw Error(Code::invalid_argument, fmt::format("--{} is given twice", option->name));
  }
  values.push_back(std::move(value));
  return taken;
}

void check_count(const CommandSpec& spec, const std::vector<std::string>& words) {
  const auto required = static_cast<size_t>(
      std::count_if(spec.arguments.begin(), spec.arguments.end(),
                    [](const ArgumentSpec& argument) { return argument.required; }));
  const bool open_ended = !spec.arguments.empty() && spec.arguments.back().repeated;
  if (words.size() < required) {
    throw Error(Code::invalid_argument,
                fmt::format("'{}' needs {}", spec.name, spec.arguments[words.size()].name),
                fmt::format("see: strata {} --help", spec.name));
  }
  if (words.size() > spec.arguments.size() && !open_ended) {
    throw Error(Code::invalid_argument,
                fmt::format("'{}' takes {} argument{}, the word '{}' is one too many", spec.name,
                            spec.arguments.size(), spec.arguments.size() == 1 ? "" : "s",
                            words[spec.arguments.size()]),
                fmt::format("see: strata {} --help", spec.name));
  }
}

}  // namespace

std::optional<std::string> Arguments::value(std::string_view option) const {
  const auto found = options_.find(std::string(option));
  if (found == options_.end()) return std::nullopt;
  return found->second.back();
}

std::vector<std::string> Arguments::values(std::string_view option) const {
  const auto found = options_.find(std::string(option));
  return found == options_.end() ? std::vector<std::string>{} : found->second;
}

std::optional<int64_t> Arguments::integer(std::string_view option) const {
  const auto text = value(option);
  if (!text) return std::nullopt;
  return parse_number<int64_t>(option, *text, "a whole number");
}

std::optional<double> Arguments::number(std::string_view option) const {
  const auto text = value(option);
  if (!text) return std::nullopt;
  return parse_number<double>(option, *text, "a number");
}

const std::vector<OptionSpec>& common_options() {
  static const std::vector<OptionSpec> options{
      {"help", "", "show help for the command", 'h'},
      {"log", "LEVEL", "what to log on stderr: debug, info, warn, error, off"},
      {"offline", "", "open no connection to another machine"},
  };
  return options;
}

namespace {

std::vector<const Command*> registered_commands() {
  std::vector<const Command*> commands;
  for (const auto& command : Registry<Command>::all()) commands.push_back(command.get());
  std::sort(commands.begin(), commands.end(),
            [](const Command* a, const Command* b) { return a->spec().name < b->spec().name; });
  return commands;
}

}  // namespace

std::vector<const Command*> all_commands() {
  auto commands = registered_commands();
  std::erase_if(commands, [](const Command* command) { return command->spec().hidden; });
  return commands;
}

std::vector<const Command*> group_members(std::string_view group) {
  auto members = all_commands();
  std::erase_if(members, [&](const Command* command) {
    return !command->spec().name.starts_with(std::string(group) + " ");
  });
  return members;
}

std::pair<const Command*, size_t> find_command(const std::vector<std::string>& words) {
  const std::string one = words.at(0);
  const std::string two = words.size() > 1 ? one + " " + words[1] : one;
  std::vector<std::string> names;
  for (const Command* command : registered_commands()) {
    const auto& spec = command->spec();
    if (spec.name == two && words.size() > 1) return {command, 2};
    const auto& aliases = spec.aliases;
    if (spec.name == one || std::find(aliases.begin(), aliases.end(), one) != aliases.end()) {
      return {command, 1};
    }
    if (!spec.hidden) names.emplace_back(spec.name);
  }
  if (const auto members = group_members(one); !members.empty()) {
    names.clear();
    for (const Command* member : members) names.emplace_back(member->spec().name);
    const std::string near = words.size() > 1 ? did_you_mean(two, names) : "";
    std::string all;
    for (const auto& name : names) all += (all.empty() ? "one of: " : ", ") + name;
    throw Error(Code::invalid_argument,
                words.size() > 1 ? fmt::format("there is no command '{}'", two)
                                 : fmt::format("'{}' needs one more word", one),
                near.empty() ? all : near);
  }
  const std::string near = did_you_mean(one, names);
  throw Error(Code::invalid_argument, fmt::format("there is no command '{}'", one),
              near.empty() ? "see: strata --help" : near);
}

Arguments parse_arguments(const CommandSpec& spec, const std::vector<std::string>& words) {
  Arguments out;
  bool options_end = false;
  for (size_t at = 0; at < words.size();) {
    const std::string& word = words[at];
    if (!options_end && word == "--") {
      options_end = true;
      ++at;
    } else if (!options_end && word.size() > 1 && word[0] == '-' && !is_ascii_digit(word[1])) {
      at += read_option(spec, words, at, out);
    } else {
      out.words_.push_back(word);
      ++at;
    }
  }
  if (!out.has("help")) check_count(spec, out.words_);
  return out;
}

}  // namespace strata::app
