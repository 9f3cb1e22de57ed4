#include "models/tokenizer/vocabulary.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "models/tokenizer/gguf_keys.h"
#include "models/tokenizer/tokenizer_limits.h"

namespace strata::models {
namespace {

constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
constexpr std::string_view kKinds = "tokenizer.ggml.token_type";
constexpr std::string_view kScores = "tokenizer.ggml.scores";

void read_tokens(Vocabulary& vocabulary) {
  auto tokens = vocabulary.file->texts(kTokens);
  if (!tokens || tokens->empty()) {
    throw Error(Code::invalid_argument, fmt::format("{}: the file has no tokens", kTokens),
                "this file is no language model, or was cut while it was converted");
  }
  if (tokens->size() > kMaxVocabulary) {
    throw Error(Code::invalid_argument, fmt::format("{}: {} tokens, the limit is {}", kTokens,
                                                    tokens->size(), kMaxVocabulary));
  }
  vocabulary.tokens = std::move(*tokens);
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    vocabulary.longest_token = std::max(vocabulary.longest_token, vocabulary.tokens[i].size());
    if (vocabulary.tokens[i].size() > kMaxTokenBytes) {
      throw Error(Code::invalid_argument,
                  fmt::format("{}: token {} has {} bytes, the limit is {}", kTokens, i,
                              vocabulary.tokens[i].size(), kMaxTokenBytes));
    }
  }
}

[[noreturn]] void refuse_count(std::string_view key, uint64_t found, size_t wanted) {
  throw Error(Code::invalid_argument,
              fmt::format("{}: {} entries for {} tokens", key, found, wanted));
}

void read_kinds(Vocabulary& vocabulary) {
  vocabulary.kinds.assign(vocabulary.size(), TokenKind::normal);
  const MetaValue* value = vocabulary.file->find(kKinds);
  if (value == nullptr) return;
  const bool words = value->element == MetaType::i32 || value->element == MetaType::u32;
  if (value->type != MetaType::array || !words) {
    throw Error(Code::invalid_argument, fmt::format("{}: not an array of int32", kKinds));
  }
  if (value->count < vocabulary.size()) refuse_count(kKinds, value->count, vocabulary.size());
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    uint32_t kind;
    std::memcpy(&kind, value->bytes.data() + i * sizeof kind, sizeof kind);
    if (kind > static_cast<uint32_t>(TokenKind::byte)) {
      throw Error(Code::invalid_argument,
                  fmt::format("{}: token {} is of unknown kind {}", kKinds, i, kind));
    }
    vocabulary.kinds[i] = kind == 0 ? TokenKind::unused : static_cast<TokenKind>(kind);
  }
}

void read_scores(Vocabulary& vocabulary) {
  const MetaValue* value = vocabulary.file->find(kScores);
  if (value == nullptr) return;
  if (value->type != MetaType::array || value->element != MetaType::f32) {
    throw Error(Code::invalid_argument, fmt::format("{}: not an array of float32", kScores));
  }
  if (value->count < vocabulary.size()) refuse_count(kScores, value->count, vocabulary.size());
  vocabulary.score_bytes = value->bytes;
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    if (std::isnan(vocabulary.score(static_cast<TokenId>(i)))) {
      throw Error(Code::invalid_argument, fmt::format("{}: token {} has no number", kScores, i));
    }
  }
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

TokenId checked_id(const Vocabulary& vocabulary, std::string_view key, int64_t id) {
  if (id < 0 || static_cast<uint64_t>(id) >= vocabulary.size()) {
    throw Error(Code::invalid_argument, fmt::format("{}: {} is no token of a vocabulary of {}", key,
                                                    id, vocabulary.size()));
  }
  return static_cast<TokenId>(id);
}

// Some writers say "none" as -1 or, unsigned, as 2^32 - 1.
TokenId read_id(const Vocabulary& vocabulary, std::string_view name, TokenId otherwise) {
  const std::string key = fmt::format("tokenizer.ggml.{}_token_id", name);
  const auto id = vocabulary.file->integer(key);
  if (!id) return otherwise < static_cast<TokenId>(vocabulary.size()) ? otherwise : -1;
  if (*id == -1 || *id == 0xFFFFFFFF) return -1;
  return checked_id(vocabulary, key, *id);
}

void read_further_ends(Vocabulary& vocabulary) {
  const auto ids = vocabulary.file->integers(kEndIdsKey);
  for (const int64_t id : ids.value_or(std::vector<int64_t>())) {
    vocabulary.end_ids.push_back(checked_id(vocabulary, kEndIdsKey, id));
  }
}

void read_ids(Vocabulary& vocabulary, const SpecialIds& defaults) {
  SpecialIds& ids = vocabulary.ids;
  ids.bos = read_id(vocabulary, "bos", defaults.bos);
  ids.eos = read_id(vocabulary, "eos", defaults.eos);
  ids.unknown = read_id(vocabulary, "unknown", defaults.unknown);
  ids.end_of_turn = read_id(vocabulary, "eot", -1);
  ids.end_of_message = read_id(vocabulary, "eom", -1);
  // The second names are older ones for the same.
  ids.fill_prefix = read_id(vocabulary, "fim_pre", read_id(vocabulary, "prefix", -1));
  ids.fill_suffix = read_id(vocabulary, "fim_suf", read_id(vocabulary, "suffix", -1));
  ids.fill_middle = read_id(vocabulary, "fim_mid", read_id(vocabulary, "middle", -1));
  ids.fill_pad = read_id(vocabulary, "fim_pad", -1);
  ids.fill_repo = read_id(vocabulary, "fim_rep", -1);
  ids.fill_separator = read_id(vocabulary, "fim_sep", -1);
}

}  // namespace

int byte_token_value(std::string_view spelling) {
  if (spelling.size() != 6 || !spelling.starts_with("<0x") || spelling.back() != '>') return -1;
  const int high = hex_digit(spelling[3]), low = hex_digit(spelling[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

void index_byte_tokens(Vocabulary& vocabulary, std::string_view name) {
  vocabulary.byte_ids.fill(-1);
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    if (vocabulary.kinds[i] != TokenKind::byte) continue;
    const int byte = byte_token_value(vocabulary.tokens[i]);
    if (byte < 0) {
      throw Error(Code::invalid_argument,
                  fmt::format("{}: byte token {} is not spelled <0x00> to <0xFF>", name, i));
    }
    vocabulary.byte_ids[static_cast<size_t>(byte)] = static_cast<TokenId>(i);
  }
}

bool Vocabulary::ends_generation(TokenId id) const {
  return std::binary_search(end_ids.begin(), end_ids.end(), id);
}

Vocabulary read_vocabulary(std::shared_ptr<const ModelFile> file,
                           const VocabularyDefaults& defaults) {
  Vocabulary vocabulary;
  vocabulary.file = std::move(file);
  read_tokens(vocabulary);
  read_kinds(vocabulary);
  read_scores(vocabulary);
  index_byte_tokens(vocabulary, kTokens);
  vocabulary.table = TokenTable(vocabulary.tokens);
  read_ids(vocabulary, defaults.ids);
  read_further_ends(vocabulary);
  const ModelFile& source = *vocabulary.file;
  vocabulary.add_bos = source.boolean("tokenizer.ggml.add_bos_token").value_or(defaults.add_bos);
  vocabulary.add_eos = source.boolean("tokenizer.ggml.add_eos_token").value_or(false);
  vocabulary.add_space_prefix =
      source.boolean("tokenizer.ggml.add_space_prefix").value_or(defaults.add_space_prefix);
  // Who wrote the makers' own file into this one knew what each token is: an </s> that is no
  // control token stays what the model reads in web pages.
  const bool kinds_are_known = vocabulary.file->text("tokenizer.huggingface.json").has_value();
  assign_roles_by_name(vocabulary, kinds_are_known ? NamedTokens::control_only : NamedTokens::any);
  return vocabulary;
}

}  // namespace strata::models
