// Parts of a tokenizer.json, for what makes one of another form.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/json.h"

namespace strata::models {

// A pre-tokenizer: what the pattern matches, and what stands between, are pieces.
json::object split_step(std::string_view pattern);

// A pre-tokenizer or decoder; `use_regex`: GPT-2's pattern cuts.
json::object byte_level_step(bool add_prefix_space, bool use_regex);

// Found anywhere in a text, also within a word; the spaces around it stay.
json::object added_token(int64_t id, std::string_view content, bool normalized, bool special);

struct SpecialToken {
  std::string_view content;  // empty: none
  int64_t id = -1;
};

// What is put around a text and, as BERT and Llama have it, around two.
json::object template_around(const SpecialToken& first, const SpecialToken& last);

}  // namespace strata::models
