// Cuts a template into tokens: text, and the words and signs inside {{ }} and {% %}. Whitespace
// control, trim_blocks, lstrip_blocks, comments and raw blocks are settled here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/chat/jinja/meter.h"

namespace strata::models::jinja {

enum class TokenType : uint8_t {
  data,
  variable_begin,
  variable_end,
  block_begin,
  block_end,
  name,
  string,
  integer,
  floating,
  sign,  // text has it: "+", "//", "[", …
  end,
};

struct Token {
  TokenType type = TokenType::end;
  Position at;
  std::string text;  // names, signs and digits as written; strings with their escapes resolved
};

// Ends with one token of type `end`. Error{invalid_argument} with line and column.
std::vector<Token> tokenize(std::string_view source);

}  // namespace strata::models::jinja
