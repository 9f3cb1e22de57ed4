// From a chat request to what the engine takes: the prompt's ids, the sampler, the limits.
#pragma once

#include "api/gateway/model_manager.h"
#include "api/request.h"

namespace strata::api {

// Errors: invalid_argument (does not fit, with the counts of system, history and message; an id
// beyond the vocabulary; a template that refuses the conversation; what prepare_conversation
// refuses), failed_precondition (a conversation for a model without a template, a suffix for one
// that fills in no text). `notices`: what is done otherwise than the request asks.
inference::GenerateRequest make_generate_request(const ChatRequest& request,
                                                 const LoadedModel& loaded,
                                                 std::vector<std::string>& notices);

// The prompt's ids alone. It may be longer than the context: up to kMaxCountedContexts times,
// beyond which Error{invalid_argument} says so.
constexpr int64_t kMaxCountedContexts = 4;
std::vector<int32_t> make_prompt(const ChatRequest& request, const LoadedModel& loaded);

// Tokens of a request's conversation as a prompt; nullopt: by its bytes over kMaxCountedContexts
// times the context, which is not counted. 0: a model without a template goes on with a prompt.
std::optional<int64_t> count_conversation(const ChatRequest& request, const LoadedModel& loaded);
// Of the model's context, those that the request is held to.
int32_t positions_for(const ChatRequest& request, const LoadedModel& loaded);

// The prompt as text: a conversation as it was rendered, else what the ids spell.
std::string prompt_text(const ChatRequest& request, const models::Model& model,
                        const std::vector<int32_t>& ids);

}  // namespace strata::api
