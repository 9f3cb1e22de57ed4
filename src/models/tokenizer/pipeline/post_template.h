// What a tokenizer puts around a text, or around two: the format's post-processors.
#pragma once

#include <cstdint>
#include <vector>

#include "models/tokenizer/pipeline/json_place.h"
#include "models/tokenizer/vocabulary.h"

namespace strata::models {

struct TemplatePart {
  enum class Kind : uint8_t { special, first, second };
  Kind kind = Kind::special;
  std::vector<TokenId> ids;  // of special ones
  uint8_t segment = 0;       // the format's type_id
};

struct PostTemplate {
  std::vector<TemplatePart> single;  // empty: the text alone
  std::vector<TemplatePart> pair;    // empty: one text behind the other
};

// Ids must be tokens of the vocabulary. Errors: invalid_argument, unimplemented.
PostTemplate read_post_processor(const JsonPlace& place, const Vocabulary& vocabulary);

}  // namespace strata::models
