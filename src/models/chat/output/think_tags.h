// What a model writes around its reasoning.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/tokenizer.h"

namespace strata::models {

struct ThinkTags {
  std::string open;  // "": the model does not think aloud
  std::string close;
  std::vector<std::string> dropped = {};  // markers around the answer that are none of its text
};

// Those that the template writes; else those that the vocabulary has as tokens.
ThinkTags find_think_tags(std::string_view template_source, const Tokenizer* tokenizer);

// How a prompt leaves the reasoning: the model is in it, has it behind it, or may begin one.
enum class ThinkState { may_begin, open, closed };
ThinkState think_state(std::string_view prompt, const ThinkTags& tags);

}  // namespace strata::models
