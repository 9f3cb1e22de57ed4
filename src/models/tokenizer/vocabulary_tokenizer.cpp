#include "models/tokenizer/vocabulary_tokenizer.h"

#include "models/tokenizer/byte_alphabet.h"

namespace strata::models {
namespace {

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

VocabularyTokenizer::VocabularyTokenizer(Vocabulary read, Spelling spelling)
    : TokenizerBase(std::move(read)),
      spelling_(spelling),
      matcher_(vocabulary(), strip_rules(vocabulary())) {}

std::string VocabularyTokenizer::piece(TokenId id, bool spell_control) const {
  check_id(id);
  const std::string_view spelling = vocabulary().token(id);
  switch (vocabulary().kind(id)) {
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
    const bool drop = vocabulary().add_space_prefix && behind_special && part.starts_with(' ') &&
                      vocabulary().kind(id) == TokenKind::normal;
    text += std::string_view(part).substr(drop ? 1 : 0);
    const TokenKind kind = vocabulary().kind(id);
    behind_special =
        kind == TokenKind::control || kind == TokenKind::unknown || kind == TokenKind::user_defined;
  }
  return text;
}

}  // namespace strata::models
