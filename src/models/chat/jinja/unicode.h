// What Python's str knows of characters: whitespace, case, kinds.
#pragma once

#include <string>
#include <string_view>

namespace strata::models::jinja {

bool is_space(char32_t c);
bool is_printable(char32_t c);  // shown as it is by repr()
bool is_alpha(char32_t c);
bool is_decimal(char32_t c);
bool is_word(char32_t c);  // of a regular expression's \w
bool is_upper(char32_t c);
bool is_lower(char32_t c);
bool is_cased(char32_t c);
bool ends_line(char32_t c);  // of splitlines()

// Full mappings: one character may become several.
void append_upper(std::string& out, char32_t c);
void append_lower(std::string& out, char32_t c);
void append_title(std::string& out, char32_t c);

// Bytes of whitespace at the beginning and at the end.
size_t leading_space(std::string_view text);
size_t trailing_space(std::string_view text);

}  // namespace strata::models::jinja
