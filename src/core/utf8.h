// UTF-8: validity, walking, and the incomplete tail of a stream.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace strata {

constexpr char32_t kReplacement = 0xFFFD;

// The code point at text[at], and moves `at` behind it. A byte that begins no valid sequence
// yields U+FFFD and one byte is passed over. Precondition: at < text.size().
char32_t next_code_point(std::string_view text, size_t& at);
// Length 1..4 of the valid sequence at text[at], 0 when there is none.
size_t utf8_length_at(std::string_view text, size_t at);
// As next_code_point() walks it.
size_t n_code_points(std::string_view text);
bool is_valid_utf8(std::string_view text);
void append_utf8(std::string& out, char32_t code_point);
// Invalid bytes become U+FFFD.
std::string repair_utf8(std::string_view text);
// How many bytes at the end begin a sequence that more bytes could still complete (0..3).
size_t incomplete_utf8_tail(std::string_view text);

}  // namespace strata
