// Summaries of a conversation's beginning: what a model is asked to write one, and those that were
// written, found again by the very messages that they tell of.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/prompt/context_policy.h"

namespace strata::api {

struct Summary {
  std::string text;
  int64_t unsummarised = 0;  // messages of the beginning that it does not tell of
};

// The one message that asks for it: an earlier summary ("" : none), then the turns.
std::string summary_prompt(std::string_view earlier, std::span<const models::Message> messages,
                           std::span<const Turn> turns, int64_t most_tokens);

// One for each beginning of 0, 1, 2… turns: SHA-256 over all of their messages, `whose` first.
std::vector<std::string> beginning_keys(std::string_view whose,
                                        std::span<const models::Message> messages,
                                        std::span<const Turn> turns);

// The latest ones that were written or found. Any thread may call.
class SummaryCache {
 public:
  std::optional<Summary> find(const std::string& key);
  void put(const std::string& key, Summary summary);  // one that is too long is not kept

 private:
  using Entry = std::pair<std::string, Summary>;
  std::mutex mutex_;
  std::list<Entry> entries_;  // the latest first
  std::map<std::string, std::list<Entry>::iterator, std::less<>> places_;
};

constexpr size_t kMaxSummaries = 512;
constexpr size_t kMaxSummaryBytes = 16u << 10;

}  // namespace strata::api
