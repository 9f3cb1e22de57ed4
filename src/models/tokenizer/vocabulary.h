// A vocabulary: spelling, kind and score of each token, the ids with a special role, and the flags.
// Of a GGUF file, views into the mapped file; nothing is copied per token.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/format/model_file.h"
#include "models/tokenizer/token_table.h"
#include "models/tokenizer/tokenizer.h"

namespace strata::models {

// What a kind of vocabulary takes for granted when the file is silent.
struct VocabularyDefaults {
  SpecialIds ids;
  bool add_bos = false;
  bool add_space_prefix = false;
};

struct Vocabulary {
  Vocabulary() = default;
  Vocabulary(Vocabulary&&) = default;  // not copied: the table looks into `tokens`
  Vocabulary& operator=(Vocabulary&&) = default;

  std::shared_ptr<const ModelFile> file;       // keeps the views alive; null: `storage` does
  std::shared_ptr<const std::string> storage;  // of a vocabulary that is no GGUF file
  std::vector<std::string_view> tokens;
  std::vector<TokenKind> kinds;
  std::span<const std::byte> score_bytes;  // float32, one a token; empty when the file has none
  TokenTable table;
  size_t longest_token = 0;
  SpecialIds ids;
  bool add_bos = false;
  bool add_eos = false;
  bool add_space_prefix = false;
  std::vector<TokenId> end_ids;  // ascending: generation stops at these
  // Ids of the byte tokens <0x00>..<0xFF>; -1 where there is none.
  std::array<TokenId, 256> byte_ids{};

  size_t size() const { return tokens.size(); }
  TokenKind kind(TokenId id) const { return kinds[static_cast<size_t>(id)]; }
  std::string_view token(TokenId id) const { return tokens[static_cast<size_t>(id)]; }
  float score(TokenId id) const {
    if (score_bytes.empty()) return 0;
    float value;
    std::memcpy(&value, score_bytes.data() + static_cast<size_t>(id) * sizeof value, sizeof value);
    return value;
  }
  // Text may become this token: neither control, unknown nor byte, which need more than their
  // spelling to be meant.
  bool is_text(TokenId id) const {
    const TokenKind k = kind(id);
    return k != TokenKind::control && k != TokenKind::unknown && k != TokenKind::byte;
  }
  bool ends_generation(TokenId id) const;
};

// The byte that "<0x41>" spells, or -1.
int byte_token_value(std::string_view spelling);
// Fills byte_ids from the kinds. Errors: invalid_argument (a byte token that spells none; `name` is
// what holds the tokens).
void index_byte_tokens(Vocabulary& vocabulary, std::string_view name);

// Reads and checks tokenizer.ggml.*. Errors: invalid_argument with the key and the numbers.
Vocabulary read_vocabulary(std::shared_ptr<const ModelFile> file,
                           const VocabularyDefaults& defaults);

enum class NamedTokens : uint8_t {
  any,           // those of any kind, which become control tokens
  control_only,  // no kind is changed
};
// Gives tokens with a well-known name their role where the file forgets to: end of turn, end of
// message, fill-in-the-middle; fills end_ids.
void assign_roles_by_name(Vocabulary& vocabulary, NamedTokens which = NamedTokens::any);

}  // namespace strata::models
