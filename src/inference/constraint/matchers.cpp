#include "inference/constraint/matchers.h"

#include <algorithm>

#include "core/error.h"

namespace strata::inference {
namespace {

constexpr size_t kKept = 16;

// What a rule says as text, the length in front of each part, so that no two rules have the same.
void append(std::string& key, std::string_view part) {
  key += fmt::format("{}:", part.size());
  key += part;
}

std::string key_of(const OutputRule& rule) {
  std::string key = fmt::format("{};", static_cast<int>(rule.kind));
  append(key, to_json(rule.schema));
  append(key, rule.text);
  for (const std::string& choice : rule.choices) append(key, choice);
  return key;
}

std::string key_of(const GenerateRequest& request) {
  std::string key = key_of(request.output);
  append(key, request.frame.front.any);
  append(key, request.frame.front.text);
  key += request.frame.calls_only ? '!' : '.';
  for (const OutputTrigger& trigger : request.triggers) {
    append(key, trigger.begin);
    append(key, key_of(trigger.rule));
    key += trigger.bare ? 'b' : '.';
    key += trigger.last ? 'l' : '.';
  }
  return key;
}

}  // namespace

Matchers::Matchers(std::shared_ptr<const models::Tokenizer> tokenizer, int32_t n_tokens)
    : tokenizer_(std::move(tokenizer)), n_tokens_(n_tokens) {}

std::shared_ptr<Matcher> Matchers::find(const GenerateRequest& request) {
  const bool strict = is_strict(request);
  if (!strict && request.triggers.empty()) return nullptr;
  const std::string key = key_of(request);
  if (auto known = find_kept(key)) return known;
  auto grammar = strict ? compile(request.output, request.triggers, request.frame)
                        : compile(request.triggers, request.frame);
  auto made = std::make_shared<Matcher>(std::move(grammar), trie());
  const std::lock_guard lock(mutex_);
  kept_.push_front({key, made});
  if (kept_.size() > kKept) kept_.pop_back();
  return made;
}

std::shared_ptr<Matcher> Matchers::find_kept(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto at =
      std::find_if(kept_.begin(), kept_.end(), [&](const Kept& kept) { return kept.key == key; });
  if (at == kept_.end()) return nullptr;
  if (at->matcher->is_worn()) {
    kept_.erase(at);
    return nullptr;
  }
  kept_.splice(kept_.begin(), kept_, at);
  return kept_.front().matcher;
}

std::shared_ptr<const TokenTrie> Matchers::trie() {
  const std::lock_guard lock(trie_mutex_);
  if (trie_) return trie_;
  auto made = std::make_shared<const TokenTrie>(*tokenizer_, n_tokens_);
  Matcher(compile({.kind = OutputRule::Kind::json_object}), made).prepare_strings();
  trie_ = std::move(made);
  return trie_;
}

}  // namespace strata::inference
