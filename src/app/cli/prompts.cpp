#include "app/cli/prompts.h"

#include <fmt/core.h>

#include "models/hub/store.h"

namespace strata::app {

api::PromptRegistry open_prompts() {
  return api::PromptRegistry(models::Store().root() / "strata.db");
}

std::string label_text(const api::PromptLabel& label) {
  const std::string text = fmt::format("{} {}", label.label, label.version);
  if (!label.trial) return text;
  return text + fmt::format(" ({} % get {})", label.trial_percent, *label.trial);
}

}  // namespace strata::app
