// A conversation in the terminal: its messages and settings, and asking the model.
#pragma once

#include <string>
#include <vector>

#include "api/gateway/backend.h"
#include "api/request.h"

namespace strata::app {

struct ChatSession {
  std::string model;
  bool base_model = false;            // no chat template: prompts are completed as they are
  std::optional<std::string> system;  // absent: the model's own; "": none
  std::vector<models::Message> messages;
  bool model_messages = true;               // false: those that the model brings are forgotten
  std::vector<std::string> own_names = {};  // models that this chat was loaded from or saved as
  api::SamplingOptions sampling;
  inference::OutputRule output;    // that every answer follows
  std::optional<int32_t> context;  // positions asked for
  std::optional<api::ContextPolicy> context_policy;
  int32_t model_context = 0;      // positions the model was trained for; 0: not known
  int32_t model_max_tokens = -1;  // length limit of an answer that the model brings; -1: none
  std::optional<int64_t> keep_alive_ms;
  bool verbose = false;
  bool keep_history = true;  // false: each prompt stands alone
  bool word_wrap = true;     // on a terminal
};

// Error{failed_precondition} for a system message where there is no template to put it in.
void check_system(const ChatSession& session);

// Sends the session with `prompt` added, streams the answer to stdout, and keeps both in the
// session. Ctrl-C ends the answer; what there is of it stays, and the reason is `cancelled`.
// What is done otherwise than asked is said on stderr; with verbose, speeds are too. Throws what
// the backend reports.
inference::FinishReason ask(ChatSession& session, api::Backend& backend, const std::string& prompt);

}  // namespace strata::app
