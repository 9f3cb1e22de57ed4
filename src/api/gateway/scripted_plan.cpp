#include "api/gateway/scripted_plan.h"

#include <algorithm>

#include "api/gateway/prompt_budget.h"
#include "core/utf8.h"
#include "inference/noise.h"

namespace strata::api {
namespace {

using inference::FinishReason;

constexpr int32_t kBabbleTokens = 64;

std::string last_message(const ChatRequest& request) {
  if (request.raw) return request.prompt;
  const auto& messages = request.conversation.messages;
  return messages.empty() ? std::string() : messages.back().content;
}

std::string babble(uint64_t seed, int32_t choice, int32_t n) {
  std::string text;
  for (int32_t i = 0; i < n; ++i) {
    const auto key = inference::noise_key(seed, static_cast<uint64_t>(choice),
                                          static_cast<uint64_t>(i), inference::NoiseUse::token);
    uint64_t draw = key.value;
    if (i > 0) text += ' ';
    for (int syllable = 0; syllable < 2; ++syllable, draw >>= 16) {
      text += "bdfgklmnprst"[draw % 12];
      text += "aeiou"[(draw >> 8) % 5];
    }
  }
  return text;
}

std::string replaced(std::string text, const std::string& message) {
  for (size_t at = 0; (at = text.find("{message}", at)) != std::string::npos;) {
    text.replace(at, 9, message);
    at += message.size();
  }
  return text;
}

bool fits(const ScriptedRule& rule, const ChatRequest& request, const std::string& message) {
  if (message.find(rule.contains) == std::string::npos) return false;
  const auto& messages = request.conversation.messages;
  if (!rule.role.empty() && (messages.empty() || messages.back().role != rule.role)) return false;
  if (rule.calls.empty()) return true;
  return !request.conversation.tools.empty() &&
         request.tool_choice.mode != models::ToolChoice::Mode::none;
}

std::vector<PlannedToken> planned(PlannedToken::Part part, std::string_view text) {
  std::vector<PlannedToken> tokens;
  for (std::string& piece : scripted_tokens(text)) {
    tokens.push_back({.part = part, .text = std::move(piece)});
  }
  return tokens;
}

// Each call is a token with its name, then its arguments'.
void append_calls(std::vector<PlannedToken>& tokens, const std::vector<ScriptedCall>& calls) {
  for (size_t i = 0; i < calls.size(); ++i) {
    auto call = planned(PlannedToken::Part::call, calls[i].arguments);
    call.insert(call.begin(), {.part = PlannedToken::Part::call, .name = calls[i].name});
    for (PlannedToken& token : call) {
      token.call = static_cast<int32_t>(i);
      tokens.push_back(std::move(token));
    }
  }
}

}  // namespace

std::vector<std::string> prompt_tokens(const ChatRequest& request) {
  std::vector<std::string> tokens;
  const auto add = [&](const std::string& text, const std::vector<int32_t>& ids) {
    for (auto& token : scripted_tokens(text)) tokens.push_back(std::move(token));
    for (const int32_t id : ids) tokens.push_back(fmt::format(" {}", id));
  };
  for (const PromptPart& part : request.prompt_front) add(part.text, part.ids);
  if (request.raw) {
    add(request.prompt, request.prompt_ids);
    add(request.suffix, {});
  } else {
    for (const auto& message : request.conversation.messages) {
      tokens.push_back(fmt::format("<{}>", message.role));
      add(message.content, {});
    }
  }
  for (const PromptPart& part : request.prompt_back) add(part.text, part.ids);
  if (request.keep_last > 0 && tokens.size() > static_cast<size_t>(request.keep_last)) {
    tokens.erase(tokens.begin(), tokens.end() - request.keep_last);
  }
  return tokens;
}

void check_fits(const ChatRequest& request, size_t n_prompt, int32_t model_context) {
  const int64_t limit = std::min(request.context.value_or(model_context), model_context);
  if (static_cast<int64_t>(n_prompt) + 1 <= limit) return;
  PromptCounts counts{.answer = request.sampling.max_tokens.value_or(-1),
                      .left_out = request.left_out};
  if (request.raw) counts.message = static_cast<int64_t>(n_prompt);
  const auto& messages = request.conversation.messages;
  for (size_t i = 0; i < messages.size(); ++i) {
    const int64_t n = static_cast<int64_t>(scripted_tokens(messages[i].content).size()) + 1;
    const bool system = messages[i].role == "system" || messages[i].role == "developer";
    (i + 1 == messages.size() ? counts.message : system ? counts.system : counts.history) += n;
  }
  throw context_overflow(counts, limit);
}

Plan make_plan(const ScriptedModel& model, const ChatRequest& request, int32_t choice,
               uint64_t seed, size_t n_prompt) {
  Plan plan;
  const std::string message = last_message(request);
  const int32_t room =
      std::max<int32_t>(0, std::min(request.context.value_or(model.context), model.context) -
                               static_cast<int32_t>(n_prompt));
  const int32_t wanted = request.sampling.max_tokens.value_or(-1);
  const int32_t limit = wanted < 0 ? room : std::min(wanted, room);
  std::string text = model.babble ? babble(seed, choice, std::min(limit, kBabbleTokens)) : message;
  std::string reasoning;
  std::vector<ScriptedCall> calls;
  for (const ScriptedRule& rule : model.rules) {
    if (!fits(rule, request, message)) continue;
    text = replaced(rule.reply, message);
    reasoning = repair_utf8(replaced(rule.reasoning, message));
    calls = rule.calls;
    if (rule.finish == "length") plan.reason = FinishReason::length;
    if (rule.fail_after >= 0) plan.error = Error(rule.fail_code, rule.fail_message);
    if (plan.error) text.resize(std::min(text.size(), static_cast<size_t>(rule.fail_after) * 4));
    break;
  }
  text = repair_utf8(text);
  size_t cut = std::string::npos;
  for (const std::string& stop : request.sampling.stop.value_or(std::vector<std::string>{})) {
    const size_t at = stop.empty() ? std::string::npos : text.find(stop);
    if (at >= cut) continue;
    cut = at;
    plan.stop_string = stop;
  }
  if (cut != std::string::npos) {
    text.resize(cut);
    calls.clear();
  }
  plan.tokens = planned(PlannedToken::Part::reasoning, reasoning);
  for (auto& token : planned(PlannedToken::Part::text, text))
    plan.tokens.push_back(std::move(token));
  append_calls(plan.tokens, calls);
  if (plan.tokens.size() > static_cast<size_t>(limit)) {
    plan.tokens.resize(static_cast<size_t>(limit));
    plan.reason = FinishReason::length;
    plan.stop_string.clear();
  } else if (model.babble && static_cast<int32_t>(plan.tokens.size()) == limit) {
    plan.reason = FinishReason::length;
  }
  return plan;
}

inference::GeneratedToken made_up(const std::string& text, int32_t n_alternatives) {
  inference::GeneratedToken token;
  token.id = scripted_id(text);
  token.bytes = text;
  token.logprob = -0.125f * static_cast<float>(1 + token.id % 8);
  for (int32_t i = 0; i < n_alternatives; ++i) {
    const std::string other = i == 0 ? text : fmt::format("{}{}", text, i);
    token.alternatives.push_back(
        {scripted_id(other), other, token.logprob - 0.5f * static_cast<float>(i)});
  }
  return token;
}

void play(const PlannedToken& token, const ChatRequest& request, ChatEvent& event) {
  if (token.part == PlannedToken::Part::reasoning) {
    event.reasoning = token.text;
    return;
  }
  if (token.part == PlannedToken::Part::call) {
    const std::string id =
        token.name.empty() ? "" : fmt::format("call_{}_{}", event.choice, token.call);
    event.calls.push_back(
        {.index = token.call, .id = id, .name = token.name, .arguments = token.text});
    return;
  }
  event.event.text = token.text;
  if (request.n_logprobs >= 0 || request.token_ids) {
    event.event.tokens.push_back(made_up(token.text, std::max(0, request.n_logprobs)));
  }
}

}  // namespace strata::api
