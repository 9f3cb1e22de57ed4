// Everything that is written about commands: help, man pages, shell completion. All from the table.
#pragma once

#include <string>

#include "app/cli/command.h"

namespace strata::app {

std::string help_overview();
std::string help_for(const CommandSpec& spec);
// A word that begins the names of several commands ("key"): these.
std::string help_for_group(std::string_view group);
// A man page, section 1: of one command, or of the program.
std::string man_page(const CommandSpec& spec);
std::string man_overview();
// A completion script; shell is bash, zsh or fish (Error{invalid_argument} otherwise).
std::string completion_script(std::string_view shell);

}  // namespace strata::app
