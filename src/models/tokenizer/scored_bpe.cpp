#include "models/tokenizer/scored_bpe.h"

#include <algorithm>
#include <bit>

#include "core/check.h"

namespace strata::models {
namespace {

// The length that the first byte promises, whether or not the bytes that follow keep it. What
// follows an invalid byte thereby becomes bytes as well; the ids are those of the reference.
size_t promised_length(uint8_t first) {
  if (first < 0xC0) return 1;
  if (first < 0xE0) return 2;
  return first < 0xF0 ? 3 : 4;
}

}  // namespace

uint32_t priority_of(float score) {
  const auto bits = std::bit_cast<uint32_t>(score + 0.0f);  // -0 is 0
  const uint32_t ascending = (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
  return ~ascending;  // never kNoMerge: that would be a NaN, which is refused at load
}

std::vector<uint32_t> priorities_by_score(const Vocabulary& vocabulary) {
  std::vector<uint32_t> priorities(vocabulary.size());
  for (size_t i = 0; i < priorities.size(); ++i) {
    priorities[i] = priority_of(vocabulary.score(static_cast<TokenId>(i)));
  }
  return priorities;
}

ScoredBpeModel::ScoredBpeModel(const Vocabulary& vocabulary, ScoredBpeRules rules)
    : vocabulary_(&vocabulary), rules_(std::move(rules)) {
  CHECK(rules_.priorities.size() >= vocabulary.size());
}

TokenId ScoredBpeModel::find_text(std::string_view text) const {
  if (text.size() > vocabulary_->longest_token) return -1;
  const TokenId id = vocabulary_->table.find(text);
  return id >= 0 && vocabulary_->is_text(id) ? id : -1;
}

void ScoredBpeModel::encode(std::string_view word, WordScratch& scratch,
                            std::vector<TokenId>& ids) const {
  if (rules_.whole_words) {
    if (const TokenId id = find_text(word); id >= 0) {
      ids.push_back(id);
      return;
    }
  }
  scratch.symbols.clear();
  for (size_t at = 0; at < word.size();) {
    const auto first = static_cast<uint8_t>(word[at]);
    const size_t length =
        rules_.byte_symbols ? 1 : std::min(promised_length(first), word.size() - at);
    scratch.symbols.push_back({find_text(word.substr(at, length)), static_cast<uint32_t>(at),
                               static_cast<uint32_t>(length)});
    at += length;
  }
  scratch.merger.merge(scratch.symbols, [&](const Symbol& left, const Symbol& right) -> PairMerge {
    const TokenId id = find_text(word.substr(left.begin, left.length + right.length));
    return id < 0 ? PairMerge{} : PairMerge{rules_.priorities[static_cast<size_t>(id)], id};
  });
  for (const Symbol& symbol : scratch.symbols) {
    if (symbol.id >= 0) {
      ids.push_back(symbol.id);
    } else {
      append_bytes(word.substr(symbol.begin, symbol.length), scratch, ids);
    }
  }
}

void ScoredBpeModel::append_bytes(std::string_view text, WordScratch& scratch,
                                  std::vector<TokenId>& ids) const {
  const TokenId unknown = vocabulary_->ids.unknown;
  for (const char c : text) {
    TokenId id = vocabulary_->byte_ids[static_cast<uint8_t>(c)];
    if (id < 0) id = find_text({&c, 1});
    if (id < 0 && unknown >= 0 && vocabulary_->kind(unknown) == TokenKind::unknown) id = unknown;
    if (id >= 0) {
      ids.push_back(id);
    } else {
      scratch.lost_byte = static_cast<uint8_t>(c);
    }
  }
}

}  // namespace strata::models
