#include "models/chat/output/think_tags.h"

#include <algorithm>

#include "models/chat/output/json_scan.h"

namespace strata::models {
namespace {

struct KnownTags {
  std::vector<std::string> marks;  // a template that writes one of these writes the tags
  ThinkTags tags;
};

// More special ones first: a template may name several.
const std::vector<KnownTags>& known() {
  static const std::vector<KnownTags> tags{
      {{"open_tag('think')"},
       {"<|open|>think<|sep|>",
        "<|close|>think<|sep|>",
        {"<|open|>response<|sep|>", "<|close|>response<|sep|>", "<|close|>message<|sep|>"}}},
      {{"<|START_THINKING|>"},
       {"<|START_THINKING|>",
        "<|END_THINKING|>",
        {"<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|START_TEXT|>", "<|END_TEXT|>"}}},
      {{"<|channel>thought"}, {"<|channel>thought\n", "<channel|>"}},
      {{"<|inner_prefix|>"}, {"<|inner_prefix|>", "<|inner_suffix|>"}},
      {{"<|begin|>assistant<|think|>"},
       {"<|think|>", "<|end|>", {"<|begin|>assistant", "<|content|>", "<|end|>"}}},
      {{"Here are my reasoning steps:"},
       {"Here are my reasoning steps:\n", "[BEGIN FINAL RESPONSE]", {"[END FINAL RESPONSE]"}}},
      {{"[THINK]"}, {"[THINK]", "[/THINK]"}},
      {{"<seed:think>"}, {"<seed:think>", "</seed:think>"}},
      {{"<mm:think>"}, {"<mm:think>", "</mm:think>"}},
      {{"'<think{}>'.format", "<think:opensource>"}, {"<think:opensource>", "</think:opensource>"}},
      {{"<think>", "</think>"}, {"<think>", "</think>"}},
  };
  return tags;
}

}  // namespace

ThinkTags find_think_tags(std::string_view template_source, const Tokenizer* tokenizer) {
  for (const KnownTags& one : known()) {
    if (std::any_of(one.marks.begin(), one.marks.end(), [&](const std::string& mark) {
          return template_source.find(mark) != std::string_view::npos;
        })) {
      return one.tags;
    }
  }
  if (tokenizer == nullptr) return {};
  for (const KnownTags& one : known()) {
    if (tokenizer->find(one.tags.open) >= 0 && tokenizer->find(one.tags.close) >= 0) {
      return one.tags;
    }
  }
  return {};
}

ThinkState think_state(std::string_view prompt, const ThinkTags& tags) {
  if (tags.open.empty()) return ThinkState::may_begin;
  const std::string_view end = trimmed(prompt);
  if (end.ends_with(trimmed(tags.open))) return ThinkState::open;
  if (end.ends_with(trimmed(tags.close))) return ThinkState::closed;
  return ThinkState::may_begin;
}

}  // namespace strata::models
