#include "app/cli/ignored.h"

#include <string>
#include <vector>

#include "app/cli/output.h"
#include "core/config.h"

extern char** environ;  // POSIX: the process's environment

namespace strata::app {

void name_ignored_variables() {
  std::vector<const char*> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) variables.push_back(*entry);
  const auto ignored = ignored_ollama_variables(variables);
  if (ignored.empty()) return;
  std::string names;
  for (const auto& name : ignored) names += (names.empty() ? "" : ", ") + name;
  complain(fmt::format("note: ignored, without a meaning here: {}", names));
}

}  // namespace strata::app
