// What the scripted backend's parts share: an answer worked out before it begins, and how one of
// its tokens becomes an event.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/gateway/scripted.h"

namespace strata::api {

struct PlannedToken {
  enum class Part { reasoning, text, call } part = Part::text;
  std::string text = {};  // of a call: of its arguments
  int32_t call = 0;
  std::string name = {};  // of the call that begins here
};

// One choice's whole answer, worked out before it begins: only its speed is left to play.
struct Plan {
  std::vector<PlannedToken> tokens;
  inference::FinishReason reason = inference::FinishReason::stop;
  std::string stop_string;
  std::optional<Error> error;
};

std::vector<std::string> prompt_tokens(const ChatRequest& request);
// Error{invalid_argument} when the prompt and one token more do not fit.
void check_fits(const ChatRequest& request, size_t n_prompt, int32_t model_context);
Plan make_plan(const ScriptedModel& model, const ChatRequest& request, int32_t choice,
               uint64_t seed, size_t n_prompt);
inference::GeneratedToken made_up(const std::string& text, int32_t n_alternatives);
// Puts the token into the event. The id of a call is the same for the same request.
void play(const PlannedToken& token, const ChatRequest& request, ChatEvent& event);

}  // namespace strata::api
