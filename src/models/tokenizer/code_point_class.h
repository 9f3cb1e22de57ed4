// Unicode's general categories, as far as pre-tokenizers tell them apart.
#pragma once

#include <cstdint>

namespace strata::models {

enum CodePointClass : uint8_t {
  kOther = 0,
  kLetter = 1,
  kNumber = 2,
  kSpace = 4,
  kMark = 8,
  kPunctuation = 16,
  kSymbol = 32,
};

// One of the bits above. White space (Unicode's White_Space property) comes before its category.
uint8_t code_point_class(char32_t c);

}  // namespace strata::models
