// The commands that begin with a slash inside a chat: /set, /show, /save, /load, /clear, /bye, /?.
#pragma once

#include <functional>
#include <string>

#include "app/cli/chat/session.h"

namespace strata::app {

// What slash commands may do beyond the session; given by `run`.
struct SlashActions {
  std::function<void(const std::string& model)> load;  // changes session.model, or throws
  // Stores the session as a model; with `force` also over another one.
  std::function<void(const std::string& name, bool force)> save;
  std::function<void(const std::string& what)> show;  // info, template, licence, modelfile
  std::function<void()> list;                         // models that are here
  std::function<void(bool enabled)> history;          // of typed lines
};

enum class SlashResult { done, leave };

// `line` begins with '/'. Errors are thrown (Error{invalid_argument} with the known words) and
// leave the session as it was.
SlashResult run_slash(const std::string& line, ChatSession& session, const SlashActions& actions);

}  // namespace strata::app
