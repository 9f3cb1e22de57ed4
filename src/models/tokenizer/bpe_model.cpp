#include "models/tokenizer/bpe_model.h"

#include "core/utf8.h"
#include "models/tokenizer/byte_alphabet.h"

namespace strata::models {
namespace {

void push(WordScratch& scratch, TokenId id, size_t at, size_t length) {
  scratch.symbols.push_back({id, static_cast<uint32_t>(at), static_cast<uint32_t>(length)});
}

}  // namespace

BpeModel::BpeModel(const Vocabulary& vocabulary, MergeTable merges, BpeRules rules)
    : vocabulary_(&vocabulary), merges_(std::move(merges)), rules_(std::move(rules)) {
  for (size_t byte = 0; byte < 256; ++byte) {
    const std::string ascii(1, static_cast<char>(byte));
    byte_ids_[byte] = text_token(rules_.byte_symbols ? byte_alphabet()[byte] : ascii);
  }
}

TokenId BpeModel::text_token(std::string_view spelling) const {
  if (spelling.size() > vocabulary_->longest_token) return -1;
  const TokenId id = vocabulary_->table.find(spelling);
  return id >= 0 && vocabulary_->is_text(id) ? id : -1;
}

TokenId BpeModel::whole_word(std::string_view word, WordScratch& scratch) const {
  const bool newlines =
      rules_.newline_words && word.find_first_not_of('\n') == std::string_view::npos;
  if (!rules_.whole_words && !newlines) return -1;
  if (!rules_.byte_symbols) return text_token(word);
  if (word.size() > vocabulary_->longest_token) return -1;  // the alphabet only makes it longer
  scratch.spelling.clear();
  for (const char c : word) scratch.spelling += byte_alphabet()[static_cast<uint8_t>(c)];
  return text_token(scratch.spelling);
}

// The token of the character word[at, at + length), with what the rules put around it.
TokenId BpeModel::symbol_at(std::string_view word, size_t at, size_t length,
                            WordScratch& scratch) const {
  const bool prefixed = at > 0 && !rules_.prefix.empty();
  const bool suffixed = at + length == word.size() && !rules_.suffix.empty();
  if (!prefixed && !suffixed) {
    const auto byte = static_cast<uint8_t>(word[at]);
    return length == 1 ? byte_ids_[byte] : text_token(word.substr(at, length));
  }
  const auto byte = static_cast<uint8_t>(word[at]);
  scratch.spelling.assign(prefixed ? rules_.prefix : "");
  scratch.spelling +=
      rules_.byte_symbols ? std::string_view(byte_alphabet()[byte]) : word.substr(at, length);
  if (suffixed) scratch.spelling += rules_.suffix;
  return text_token(scratch.spelling);
}

// The bytes of a character in place of it; false: the rules do not ask for that.
bool BpeModel::add_bytes(std::string_view word, size_t at, size_t length,
                         WordScratch& scratch) const {
  if (rules_.fallback == ByteFallback::none) return false;
  const auto id_of = [&](size_t i) { return vocabulary_->byte_ids[static_cast<uint8_t>(word[i])]; };
  if (rules_.fallback == ByteFallback::all) {
    for (size_t i = at; i < at + length; ++i) {
      if (id_of(i) < 0) return false;
    }
  }
  for (size_t i = at; i < at + length; ++i) {
    if (id_of(i) < 0) scratch.lost_byte = static_cast<uint8_t>(word[i]);
    push(scratch, id_of(i), i, 1);
  }
  return true;
}

void BpeModel::add_symbols(std::string_view word, WordScratch& scratch) const {
  // An unknown stretch is held back until a token follows: it may grow. Bytes do not end it, so
  // that they come before it, as in the reference.
  Symbol unknown;
  const auto flush = [&] {
    if (unknown.length > 0) scratch.symbols.push_back(unknown);
    unknown = {};
  };
  for (size_t at = 0, length = 0; at < word.size(); at += length) {
    const auto byte = static_cast<uint8_t>(word[at]);
    length = rules_.byte_symbols || byte < 0x80 ? 1 : utf8_length_at(word, at);
    const TokenId id = symbol_at(word, at, length, scratch);
    if (id >= 0) {
      flush();
      push(scratch, id, at, length);
    } else if (!rules_.byte_symbols && add_bytes(word, at, length, scratch)) {
      continue;
    } else if (rules_.unknown < 0) {
      scratch.lost_byte = byte;
      if (rules_.lost_divides) push(scratch, -1, at, length);
    } else if (unknown.length > 0 && rules_.fuse_unknown) {
      unknown.length += static_cast<uint32_t>(length);
    } else {
      flush();
      unknown = {rules_.unknown, static_cast<uint32_t>(at), static_cast<uint32_t>(length)};
    }
  }
  flush();
}

void BpeModel::encode(std::string_view word, WordScratch& scratch,
                      std::vector<TokenId>& ids) const {
  const TokenId whole = whole_word(word, scratch);
  if (whole >= 0) {
    ids.push_back(whole);
    return;
  }
  scratch.symbols.clear();
  add_symbols(word, scratch);
  scratch.merger.merge(scratch.symbols, [this](const Symbol& left, const Symbol& right) {
    const MergeTable::Entry* entry = merges_.find(left.id, right.id);
    return entry == nullptr ? PairMerge{} : PairMerge{entry->rank, entry->result};
  });
  for (const Symbol& symbol : scratch.symbols) {
    if (symbol.id >= 0) ids.push_back(symbol.id);
  }
}

}  // namespace strata::models
