#include "api/prompt/summary.h"

#include <fmt/core.h>

#include "core/hash.h"

namespace strata::api {
namespace {

using models::Message;

void append(const Message& message, std::string& out) {
  if (!message.content.empty()) {
    out += fmt::format("[{}]\n{}\n\n", message.role, message.content);
  }
  for (const models::ToolCall& call : message.tool_calls) {
    out += fmt::format("[{} calls {}]\n{}\n\n", message.role, call.name, call.arguments);
  }
}

// Everything that tells one message from another, so that no two texts are alike.
std::string digest_text(const Message& message) {
  json::array calls;
  for (const models::ToolCall& call : message.tool_calls) {
    calls.push_back(json::array{call.id, call.name, call.arguments});
  }
  return to_json(json::array{message.role, message.content, message.name, message.reasoning,
                             std::move(calls), message.tool_call_id});
}

}  // namespace

std::string summary_prompt(std::string_view earlier, std::span<const Message> messages,
                           std::span<const Turn> turns, int64_t most_tokens) {
  std::string text =
      "Below is the beginning of a conversation. Summarise it for the one who goes on with it: "
      "what was asked for, what was found and decided, names, numbers, and what is still open.\n\n";
  if (!earlier.empty()) text += fmt::format("[summary of what came before]\n{}\n\n", earlier);
  for (const Turn& turn : turns) {
    for (const Message& message : messages.subspan(turn.begin, turn.end - turn.begin)) {
      if (!is_system(message)) append(message, text);
    }
  }
  // A word is about four thirds of a token.
  return text + fmt::format("Write only the summary, in at most {} words.", most_tokens * 3 / 4);
}

std::vector<std::string> beginning_keys(std::string_view whose, std::span<const Message> messages,
                                        std::span<const Turn> turns) {
  std::vector<std::string> keys{sha256_hex(whose)};
  for (const Turn& turn : turns) {
    std::string text = keys.back();
    for (const Message& message : messages.subspan(turn.begin, turn.end - turn.begin)) {
      if (!is_system(message)) text += digest_text(message);
    }
    keys.push_back(sha256_hex(text));
  }
  return keys;
}

std::optional<Summary> SummaryCache::find(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto place = places_.find(key);
  if (place == places_.end()) return std::nullopt;
  entries_.splice(entries_.begin(), entries_, place->second);
  return place->second->second;
}

void SummaryCache::put(const std::string& key, Summary summary) {
  if (summary.text.size() > kMaxSummaryBytes) return;
  const std::lock_guard lock(mutex_);
  if (places_.contains(key)) return;
  entries_.emplace_front(key, std::move(summary));
  places_[key] = entries_.begin();
  if (entries_.size() <= kMaxSummaries) return;
  places_.erase(entries_.back().first);
  entries_.pop_back();
}

}  // namespace strata::api
