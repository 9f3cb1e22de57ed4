// GPT-2's alphabet: a printable character for each byte, in which byte-level vocabularies are
// spelled.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace strata::models {

// The character of each byte, as UTF-8.
const std::array<std::string, 256>& byte_alphabet();
std::string to_alphabet(std::string_view bytes);
// The bytes that a spelling stands for. Characters outside the alphabet (a converter's mistake)
// stand for themselves.
std::string from_alphabet(std::string_view spelling);

}  // namespace strata::models
