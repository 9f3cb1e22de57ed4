#include "app/cli/chat/save.h"

#include <algorithm>

#include "app/cli/chat/parameters.h"
#include "core/error.h"
#include "models/parameters.h"

namespace strata::app {

std::string save_session(ChatSession& session, const models::Store& store, std::string_view name,
                         bool force) {
  const std::string full = models::parse_model_name(name).full();
  const bool is_own = std::ranges::find(session.own_names, full) != session.own_names.end();
  if (!force && !is_own && store.has(full)) {
    throw Error(Code::already_exists, fmt::format("there is a model '{}' already", full),
                fmt::format("choose another name, or replace it: /save {} --force", name));
  }
  models::Manifest manifest = store.find(session.model);
  auto& overrides = manifest.overrides;
  if (manifest.name != full) manifest.parent = manifest.name;
  manifest.name = full;
  manifest.source = "create";
  manifest.created = 0;  // now
  if (session.system) overrides.system = *session.system;
  if (!session.model_messages) overrides.messages.clear();
  overrides.messages.insert(overrides.messages.end(), session.messages.begin(),
                            session.messages.end());
  const auto set = set_parameters(session);
  for (const auto& row : set) overrides.parameters.erase(row.first);
  overrides.parameters.insert(set.begin(), set.end());
  models::read_parameters(overrides.parameters);  // what is saved can be run
  store.put_manifest(manifest);
  if (!is_own) session.own_names.push_back(full);
  if (full == session.model) {  // it brings the conversation itself now
    session.messages.clear();
    session.model_messages = true;
  }
  return full;
}

}  // namespace strata::app
