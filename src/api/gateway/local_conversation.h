// From a conversation to a prompt and to how its answers are read: tools, reasoning, a last message
// that is gone on with.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/request.h"
#include "inference/constraint/output_rule.h"
#include "models/chat/output/output_plan.h"
#include "models/model.h"

namespace strata::api {

struct PreparedConversation {
  models::MarkedText text;                            // of the prompt
  std::shared_ptr<const models::OutputPlan> reading;  // null: the answer is text alone
  std::vector<inference::OutputTrigger> triggers;     // what calls have to match
  inference::OutputFrame frame;                       // what stands around calls and text by a rule
  std::vector<std::string> notices;                   // wishes that the model cannot honour
};

// Errors: those of models::render_conversation; invalid_argument: a tool_choice that the tools do
// not have, a last message that cannot be gone on with, a rule beside tools whose calls have none.
PreparedConversation prepare_conversation(const ChatRequest& request, const models::Model& model,
                                          uint64_t id_seed);

// The text alone.
models::MarkedText render_prompt(const ChatRequest& request, const models::Model& model);

}  // namespace strata::api
