#include "api/prompt/system_front.h"

#include <fmt/core.h>

#include "api/prompt/context_policy.h"

namespace strata::api {

void put_system_front(std::string_view front, std::string_view own,
                      std::vector<models::Message>& messages) {
  if (front.empty()) return;
  const bool has_own = !messages.empty() && is_system(messages.front());
  if (!has_own) messages.insert(messages.begin(), {.role = "system", .content = std::string(own)});
  std::string& text = messages.front().content;
  text = text.empty() ? std::string(front) : fmt::format("{}\n\n{}", front, text);
}

}  // namespace strata::api
