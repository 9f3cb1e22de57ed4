#include "models/tokenizer/byte_alphabet.h"

#include "core/utf8.h"

namespace strata::models {
namespace {

constexpr size_t kAlphabetEnd = 256 + 68;  // 68 bytes are not printable and moved behind U+0100

bool stands_for_itself(size_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

// The character that stands for each byte.
std::array<char32_t, 256> alphabet_characters() {
  std::array<char32_t, 256> characters{};
  char32_t moved = 256;
  for (size_t byte = 0; byte < 256; ++byte) {
    characters[byte] = stands_for_itself(byte) ? static_cast<char32_t>(byte) : moved++;
  }
  return characters;
}

// The byte that each character stands for; -1: none.
const std::array<int16_t, kAlphabetEnd>& alphabet_bytes() {
  static const auto bytes = [] {
    std::array<int16_t, kAlphabetEnd> made;
    made.fill(-1);
    const auto characters = alphabet_characters();
    for (size_t byte = 0; byte < 256; ++byte) made[characters[byte]] = static_cast<int16_t>(byte);
    return made;
  }();
  return bytes;
}

}  // namespace

const std::array<std::string, 256>& byte_alphabet() {
  static const auto alphabet = [] {
    std::array<std::string, 256> made;
    const auto characters = alphabet_characters();
    for (size_t byte = 0; byte < 256; ++byte) append_utf8(made[byte], characters[byte]);
    return made;
  }();
  return alphabet;
}

std::string to_alphabet(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) out += byte_alphabet()[static_cast<uint8_t>(byte)];
  return out;
}

std::string from_alphabet(std::string_view spelling) {
  const auto& bytes = alphabet_bytes();
  std::string out;
  out.reserve(spelling.size());
  for (size_t at = 0; at < spelling.size();) {
    const char32_t c = next_code_point(spelling, at);
    if (c < kAlphabetEnd && bytes[c] >= 0) {
      out += static_cast<char>(bytes[c]);
    } else {
      append_utf8(out, c);
    }
  }
  return out;
}

}  // namespace strata::models
