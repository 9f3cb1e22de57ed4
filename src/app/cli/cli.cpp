#include "app/cli/cli.h"

#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/help.h"
#include "app/cli/output.h"
#include "core/error.h"
#include "core/log.h"
#include "core/version.h"

namespace strata::app {
namespace {

int report(const Error& error) {
  complain("error: " + error.message());
  if (!error.hint().empty()) complain("hint: " + error.hint());
  return exit_code(error.code());
}

bool asks_for_help(const std::string& word) {
  return word == "--help" || word == "-h" || word == "help";
}

// Help on the command or the group of commands that the words name; on all without words.
void print_help(const std::vector<std::string>& words) {
  if (words.empty()) {
    print(help_overview());
  } else if (words.size() == 1 && !group_members(words[0]).empty()) {
    print(help_for_group(words[0]));
  } else {
    print(help_for(find_command(words).first->spec()));
  }
}

int run_words(const std::vector<std::string>& words) {
  if (words.empty() || asks_for_help(words[0])) {
    print_help({words.begin() + (words.empty() ? 0 : 1), words.end()});
    return 0;
  }
  if (words.size() == 2 && asks_for_help(words[1]) && !group_members(words[0]).empty()) {
    print_help({words[0]});
    return 0;
  }
  if (words[0] == "--version" || words[0] == "-v") {
    print(fmt::format("strata {}\n", version()));
    return 0;
  }
  const auto [command, taken] = find_command(words);
  const Arguments arguments =
      parse_arguments(command->spec(), {words.begin() + static_cast<long>(taken), words.end()});
  if (arguments.has("help")) {
    print(help_for(command->spec()));
    return 0;
  }
  if (const auto level = arguments.value("log")) set_log_level(parse_log_level(*level));
  return command->run(arguments);
}

}  // namespace

int run_command_line(int argc, char** argv) {
  // A closed pipe and a file that may grow no more are errors of the write, not of the process.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return run_words({argv + 1, argv + argc});
  } catch (const ReaderGone&) {
    return kReaderGone;
  } catch (const Error& error) {
    return report(error);
  } catch (const std::bad_alloc&) {
    return report(Error(Code::resource_exhausted, "out of memory"));
  } catch (const std::exception& error) {
    return report(Error(Code::internal, error.what()));
  }
}

}  // namespace strata::app
