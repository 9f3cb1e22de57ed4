#include "core/check.h"
#include "core/error.h"
#include "models/tokenizer/byte_trie.h"
#include "models/tokenizer/pipeline/word_models.h"

namespace strata::models {
namespace {

TokenId find_text(const Vocabulary& vocabulary, std::string_view text) {
  if (text.size() > vocabulary.longest_token) return -1;
  const TokenId id = vocabulary.table.find(text);
  return id >= 0 && vocabulary.is_text(id) ? id : -1;
}

class WordPieceModel final : public WordModel {
 public:
  WordPieceModel(const Vocabulary& vocabulary, WordPieceRules rules) : rules_(std::move(rules)) {
    CHECK(rules_.unknown >= 0);
    for (size_t i = 0; i < vocabulary.size(); ++i) {
      // Text never becomes a control token, whatever it spells.
      const auto id = static_cast<TokenId>(i);
      if (vocabulary.is_text(id)) trie_.insert(vocabulary.token(id), id);
    }
    first_ = node_behind(rules_.first_prefix);
    later_ = node_behind(rules_.prefix);
  }

  void encode(std::string_view word, WordScratch&, std::vector<TokenId>& ids) const override {
    const size_t first = ids.size();
    if (!has_too_many_characters(word)) {
      size_t begin = 0;
      while (begin < word.size()) {
        const size_t length = longest_piece(word, begin, ids);
        if (length == 0) break;
        begin += length;
      }
      if (begin == word.size()) return;
    }
    ids.resize(first);
    ids.push_back(rules_.unknown);
  }

 private:
  bool has_too_many_characters(std::string_view word) const {
    if (word.size() <= rules_.max_characters) return false;
    size_t count = 0;
    for (const char c : word) count += (static_cast<uint8_t>(c) & 0xC0) != 0x80 ? 1 : 0;
    return count > rules_.max_characters;
  }

  // The node behind `prefix`; -1: no token begins with it.
  int32_t node_behind(std::string_view prefix) const {
    int32_t node = ByteTrie::kRoot;
    for (size_t i = 0; node >= 0 && i < prefix.size(); ++i) {
      node = trie_.child(node, static_cast<uint8_t>(prefix[i]));
    }
    return node;
  }

  // Appends the longest token that word has at `begin`; its length, 0: none.
  size_t longest_piece(std::string_view word, size_t begin, std::vector<TokenId>& ids) const {
    // Where the mark stands for the beginning of a word, no other piece begins with it.
    const std::string& mark = rules_.first_prefix;
    if (begin > 0 && !mark.empty() && word.substr(begin).starts_with(mark)) return 0;
    TokenId id = -1;
    size_t length = 0;
    int32_t node = begin == 0 ? first_ : later_;
    for (size_t end = begin; node >= 0 && end < word.size();) {
      node = trie_.child(node, static_cast<uint8_t>(word[end++]));
      const bool inside = end < word.size() && (static_cast<uint8_t>(word[end]) & 0xC0) == 0x80;
      if (node < 0 || inside || trie_.token(node) < 0) continue;
      id = trie_.token(node);
      length = end - begin;
    }
    if (id >= 0) ids.push_back(id);
    return length;
  }

  WordPieceRules rules_;
  ByteTrie trie_;
  int32_t first_ = 0, later_ = 0;  // nodes behind the prefixes
};

class WordLevelModel final : public WordModel {
 public:
  WordLevelModel(const Vocabulary& vocabulary, TokenId unknown)
      : vocabulary_(&vocabulary), unknown_(unknown) {}

  void encode(std::string_view word, WordScratch&, std::vector<TokenId>& ids) const override {
    const TokenId id = find_text(*vocabulary_, word);
    if (id < 0 && unknown_ < 0) {
      throw Error(Code::invalid_argument,
                  fmt::format("a word of {} bytes is not in the vocabulary, which has no token for "
                              "unknown words",
                              word.size()));
    }
    ids.push_back(id >= 0 ? id : unknown_);
  }

 private:
  const Vocabulary* vocabulary_;
  TokenId unknown_;
};

}  // namespace

std::unique_ptr<const WordModel> make_word_piece(const Vocabulary& vocabulary,
                                                 WordPieceRules rules) {
  return std::make_unique<WordPieceModel>(vocabulary, std::move(rules));
}

std::unique_ptr<const WordModel> make_word_level(const Vocabulary& vocabulary, TokenId unknown) {
  return std::make_unique<WordLevelModel>(vocabulary, unknown);
}

}  // namespace strata::models
