// A conversation in the terminal: its messages and settings, and asking the model.
#pragma once

#include <string>
#include <vector>

#include "api/gateway/backend.h"
#include "api/request.h"

namespace strata::app {

struct ChatSession {
  std::string model;
  bool base_model = false;  // no chat template: prompts are completed as they are
  std::string system;
  std::vector<models::Message> messages;
  api::SamplingOptions sampling;
  std::optional<int32_t> context;
  std::optional<int64_t> keep_alive_ms;
  bool verbose = false;
  bool keep_history = true;  // false: each prompt stands alone
};

// Sends the session with `prompt` added, streams the answer to stdout, and keeps both in the
// session. Ctrl-C ends the answer; what there is of it stays. With verbose, speeds go to stderr.
// Throws what the backend reports.
void ask(ChatSession& session, api::Backend& backend, const std::string& prompt);

// Sets a sampling option or num_ctx by Ollama's name. Error{invalid_argument} with the known names.
void set_parameter(ChatSession& session, std::string_view name,
                   const std::vector<std::string>& values);
// name → value of what was set.
std::vector<std::pair<std::string, std::string>> set_parameters(const ChatSession& session);

}  // namespace strata::app
