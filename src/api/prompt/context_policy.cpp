#include "api/prompt/context_policy.h"

#include <algorithm>
#include <array>
#include <map>

#include "core/error.h"

namespace strata::api {
namespace {

using models::Message;

constexpr std::array<std::string_view, 3> kNames{"error", "truncate", "summarise"};

// From `begin` up to `end`, if there is anything in it that can go.
void add_turn(std::span<const Message> messages, size_t begin, size_t end,
              std::vector<Turn>& turns) {
  const auto part = messages.subspan(begin, end - begin);
  if (!std::ranges::all_of(part, is_system)) turns.push_back({begin, end});
}

std::vector<size_t> places_of(std::span<const Message> messages, size_t begin,
                              std::string_view role) {
  std::vector<size_t> places;
  for (size_t i = begin; i < messages.size(); ++i) {
    if (messages[i].role == role) places.push_back(i);
  }
  return places;
}

}  // namespace

std::string_view name(ContextPolicy policy) {
  return kNames[static_cast<size_t>(policy)];
}

ContextPolicy parse_context_policy(std::string_view text) {
  const auto found = std::ranges::find(kNames, text);
  if (found == kNames.end()) {
    throw Error(Code::invalid_argument,
                fmt::format("there is no context policy '{}'", text.substr(0, 80)),
                "policies are error, truncate and summarise");
  }
  return static_cast<ContextPolicy>(found - kNames.begin());
}

std::string notice_of(const ContextChange& change) {
  const std::string left_out =
      fmt::format("{} older messages of {}{} tokens were left out to make the prompt fit",
                  change.messages, change.tokens_counted ? "" : "at least ", change.tokens);
  if (change.policy != ContextPolicy::summarise) return left_out;
  if (change.unsummarised == change.messages) return left_out + "; there is no summary of them";
  std::string text = fmt::format("{}; a summary stands in their place, ", left_out);
  text += change.summary_kept
              ? "written for an earlier request"
              : fmt::format("for which {} tokens were read and {} written",
                            change.summary_input_tokens, change.summary_output_tokens);
  if (change.unsummarised > 0) text += fmt::format("; {} are not in it", change.unsummarised);
  return text;
}

json::object as_json(const ContextChange& change) {
  json::object object{{"policy", name(change.policy)},
                      {"dropped_messages", change.messages},
                      {"dropped_tokens", change.tokens},
                      {"dropped_tokens_counted", change.tokens_counted}};
  if (change.policy == ContextPolicy::summarise) {
    object["unsummarised_messages"] = change.unsummarised;
    object["summary_kept"] = change.summary_kept;
    object["summary_input_tokens"] = change.summary_input_tokens;
    object["summary_output_tokens"] = change.summary_output_tokens;
  }
  return object;
}

bool is_system(const Message& message) {
  return message.role == "system" || message.role == "developer";
}

// By message: whether a cut in front of it would part a result from its call. Some programs write
// the person's text between the two.
std::vector<bool> inside_calls(std::span<const Message> messages) {
  std::map<std::string_view, size_t> calls;  // where each id was called last
  size_t last = messages.size();             // where any was
  std::vector<bool> inside(messages.size());
  for (size_t i = 0; i < messages.size(); ++i) {
    for (const models::ToolCall& call : messages[i].tool_calls) calls[call.id] = last = i;
    if (messages[i].role != "tool") continue;
    const auto call = calls.find(messages[i].tool_call_id);
    for (size_t at = call == calls.end() ? last : call->second; ++at <= i;) inside[at] = true;
  }
  return inside;
}

std::vector<Turn> droppable_turns(std::span<const Message> messages) {
  std::vector<Turn> turns;
  const auto users = places_of(messages, 0, "user");
  const std::vector<bool> inside = inside_calls(messages);
  size_t begin = 0;
  for (const size_t user : users) {
    if (inside[user]) continue;
    add_turn(messages, begin, user, turns);
    begin = user;
  }
  const auto steps = places_of(messages, begin, "assistant");
  for (size_t i = 0; i + 1 < steps.size(); ++i) {
    add_turn(messages, steps[i], steps[i + 1], turns);
  }
  return turns;
}

std::vector<Message> without_turns(std::span<const Message> messages, std::span<const Turn> turns,
                                   size_t n, std::string_view summary) {
  std::vector<Message> kept;
  size_t turn = 0;
  bool told = summary.empty();
  for (size_t i = 0; i < messages.size(); ++i) {
    while (turn < n && i >= turns[turn].end) ++turn;
    const bool goes = turn < n && i >= turns[turn].begin;
    if (is_system(messages[i])) {
      kept.push_back(messages[i]);
      continue;
    }
    if (goes) continue;
    if (!told) {
      told = true;
      kept.push_back(
          {.role = "user",
           .content = fmt::format("Summary of our conversation so far:\n\n{}", summary)});
      kept.push_back({.role = "assistant", .content = "I go on from there."});
    }
    kept.push_back(messages[i]);
  }
  return kept;
}

}  // namespace strata::api
