// The command line: finds the command, parses its words, runs it, turns errors into exit codes.
#pragma once

namespace strata::app {

// Returns the process's exit code (core/error.h).
int run_command_line(int argc, char** argv);

}  // namespace strata::app
