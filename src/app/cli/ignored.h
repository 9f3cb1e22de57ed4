// Settings of other programs that have no meaning here are named, once a command.
#pragma once

namespace strata::app {

// One line on stderr with the OLLAMA_… variables that are set and ignored; nothing without any.
void name_ignored_variables();

}  // namespace strata::app
