// Regular expressions as ECMAScript (with its flag u) and most others write them, as expressions.
#pragma once

#include <string_view>

#include "inference/constraint/code_points.h"

namespace strata::inference {

struct RegexOptions {
  Spelling spelling = Spelling::plain;
  bool ignore_case = false;  // of the letters of ASCII
  bool dot_all = false;      // . matches ends of lines
  bool verbose = false;      // blanks and comments do not count
  // Whether the text has to match as a whole, as it does where ^ and $ stand at its ends; otherwise
  // it has to hold a match.
  bool whole = true;
};

// Errors: invalid_argument (not a regular expression, or one that cannot be honoured: look-around,
// back references, word boundaries, anchors in the middle), with the place.
ExprId parse_regex(Expressions& x, std::string_view pattern, const RegexOptions& options = {});

// Any text of valid UTF-8, as it is spelled.
ExprId any_text(Expressions& x, Spelling spelling);

}  // namespace strata::inference
