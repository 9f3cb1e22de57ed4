#include "models/tokenizer/vocabulary_tokenizer.h"

#include "core/error.h"
#include "core/log.h"
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

// Characters outside the alphabet (a converter's mistake) stand for themselves.
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

std::string from_space_marks(std::string_view spelling) {
  std::string out;
  out.reserve(spelling.size());
  for (size_t at = 0; at < spelling.size();) {
    const size_t mark = std::min(spelling.find(kSpaceMark, at), spelling.size());
    out += spelling.substr(at, mark - at);
    if (mark < spelling.size()) out += ' ';
    at = mark + kSpaceMark.size();
  }
  return out;
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

VocabularyTokenizer::VocabularyTokenizer(Vocabulary vocabulary, Spelling spelling)
    : vocabulary_(std::move(vocabulary)),
      spelling_(spelling),
      matcher_(vocabulary_, strip_rules(vocabulary_)) {}

void VocabularyTokenizer::check_id(TokenId id) const {
  if (id >= 0 && id < n_vocab()) return;
  throw Error(Code::invalid_argument,
              fmt::format("token id {} is not in the vocabulary of {}", id, n_vocab()));
}

TokenKind VocabularyTokenizer::kind(TokenId id) const {
  check_id(id);
  return vocabulary_.kind(id);
}

std::string VocabularyTokenizer::piece(TokenId id, bool spell_control) const {
  check_id(id);
  const std::string_view spelling = vocabulary_.token(id);
  switch (vocabulary_.kind(id)) {
    case TokenKind::control:
    case TokenKind::unknown:
      return spell_control ? std::string(spelling) : std::string();
    case TokenKind::user_defined:
      return std::string(spelling);
    case TokenKind::unused:
      return {};
    case TokenKind::byte:
      return {static_cast<char>(std::stoi(std::string(spelling.substr(3, 2)), nullptr, 16))};
    case TokenKind::normal:
      break;
  }
  return spelling_ == Spelling::byte_alphabet ? from_alphabet(spelling)
                                              : from_space_marks(spelling);
}

std::string VocabularyTokenizer::decode(std::span<const TokenId> ids, bool spell_control) const {
  std::string text;
  bool behind_special = true;
  for (const TokenId id : ids) {
    const std::string part = piece(id, spell_control);
    const bool drop = vocabulary_.add_space_prefix && behind_special && part.starts_with(' ') &&
                      vocabulary_.kind(id) == TokenKind::normal;
    text += std::string_view(part).substr(drop ? 1 : 0);
    const TokenKind kind = vocabulary_.kind(id);
    behind_special =
        kind == TokenKind::control || kind == TokenKind::unknown || kind == TokenKind::user_defined;
  }
  return text;
}

void VocabularyTokenizer::report_lost_byte(uint8_t byte) const {
  if (reported_.exchange(true)) return;
  log_warn(
      "the model's vocabulary has no token for byte 0x{:02X}: such bytes are left out of what "
      "the model reads",
      byte);
}

}  // namespace strata::models
