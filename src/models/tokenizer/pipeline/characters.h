// What the tokenizer.json format asks of a character, beside code_point_class.h.
#pragma once

#include <string>
#include <string_view>

#include "models/tokenizer/code_point_class.h"

namespace strata::models {

inline bool is_white_space(char32_t c) {
  return code_point_class(c) == kSpace;
}
inline bool is_numeric(char32_t c) {
  return code_point_class(c) == kNumber;
}
// ASCII's punctuation and symbols, and what Unicode calls punctuation.
bool is_punctuation(char32_t c);
// \w of Rust's regular expressions (UTS 18): letters, marks, decimal digits, connectors, joiners.
bool is_word_character(char32_t c);
bool is_nonspacing_mark(char32_t c);
bool is_mark(char32_t c);
// Controls, formats, private characters; not what is unassigned.
bool is_other(char32_t c);
// Appends the lower-case form.
void append_lower(std::string& out, char32_t c);

// Newer than the reference's tables (newer_characters.cpp): to it they are nothing of the kind.
bool is_newer_format(char32_t c);
bool is_newer_punctuation(char32_t c);
bool is_newer_mark(char32_t c);
bool is_newer_nonspacing_mark(char32_t c);

}  // namespace strata::models
