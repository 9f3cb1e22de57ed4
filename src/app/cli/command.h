// One verb of the command line. A command declares its words once; help, man pages, completion and
// parsing all come from that declaration.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/registry.h"

namespace strata::app {

struct OptionSpec {
  std::string_view name{};   // "seed", written --seed
  std::string_view value{};  // what to call its value ("N", "FILE"); empty: a switch
  std::string_view help{};
  char letter = 0;  // "-f"; 0: none
  bool repeated = false;
  bool hidden = false;  // another spelling: taken, but not listed
};

struct ArgumentSpec {
  std::string_view name{};  // "MODEL"
  std::string_view help{};
  bool required = true;
  bool repeated = false;                                    // only the last one
  enum class Kind { text, model, file } kind = Kind::text;  // for completion
  std::vector<std::string_view> choices{};                  // for completion: the words it may be
};

struct ExampleSpec {
  std::string_view line{};  // "strata run smollm2:135m"
  std::string_view what{};
};

struct CommandSpec {
  std::string_view name{};         // "run", "key create"
  std::string_view summary{};      // one line, no full stop
  std::string_view description{};  // paragraphs; may be empty
  std::vector<ArgumentSpec> arguments{};
  std::vector<OptionSpec> options{};
  std::vector<ExampleSpec> examples{};
  std::vector<std::string_view> aliases{};  // "ls" for "list"
  bool hidden = false;                      // called by the program itself: not listed
};

// The words of one call, checked against the spec.
class Arguments {
 public:
  bool has(std::string_view option) const { return options_.contains(std::string(option)); }
  // Last value of an option.
  std::optional<std::string> value(std::string_view option) const;
  std::vector<std::string> values(std::string_view option) const;
  // Numbers; Error{invalid_argument} with the option's name when it is not one.
  std::optional<int64_t> integer(std::string_view option) const;
  std::optional<double> number(std::string_view option) const;
  const std::vector<std::string>& words() const { return words_; }

  std::vector<std::string> words_;                           // positional
  std::map<std::string, std::vector<std::string>> options_;  // by long name; a switch has ""
};

class Command {
 public:
  virtual ~Command() = default;
  virtual const CommandSpec& spec() const = 0;
  // Returns the exit code; failures are thrown as Error.
  virtual int run(const Arguments& arguments) const = 0;
};

// Options that every command takes.
const std::vector<OptionSpec>& common_options();
// All commands but hidden ones, by name.
std::vector<const Command*> all_commands();
// The command whose name (one or two words) or alias begins `words`, and how many words it took.
// Error{invalid_argument} with the nearest name when there is none.
std::pair<const Command*, size_t> find_command(const std::vector<std::string>& words);
// The commands whose names begin with this word and a space ("key": create, list, revoke).
std::vector<const Command*> group_members(std::string_view group);
// Checks words against the spec: `--name value`, `--name=value`, `-f value`, `--` ends options.
Arguments parse_arguments(const CommandSpec& spec, const std::vector<std::string>& words);

}  // namespace strata::app
