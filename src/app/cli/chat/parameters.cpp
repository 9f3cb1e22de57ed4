#include "app/cli/chat/parameters.h"

#include "api/request_settings.h"

namespace strata::app {
namespace {

api::RequestSettings settings_of(const ChatSession& session) {
  return {session.sampling, session.context, session.context_policy};
}

}  // namespace

void set_parameter(ChatSession& session, std::string_view name,
                   const std::vector<std::string>& values) {
  api::RequestSettings settings = settings_of(session);
  api::set_parameter(settings, name, values);
  session.sampling = std::move(settings.sampling);
  session.context = settings.context;
  session.context_policy = settings.context_policy;
}

std::vector<std::pair<std::string, std::string>> set_parameters(const ChatSession& session) {
  return api::set_parameters(settings_of(session));
}

}  // namespace strata::app
