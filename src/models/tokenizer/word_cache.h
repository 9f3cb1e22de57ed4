// Remembers, during one encode, where a word was encoded before: prose repeats itself.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

#include "models/tokenizer/prepared_text.h"
#include "models/tokenizer/token_table.h"
#include "models/tokenizer/tokenizer.h"
#include "models/tokenizer/word_model.h"

namespace strata::models {

class WordCache {
 public:
  // For the words of `text`, whose ids are appended to `ids`; both outlive the cache.
  WordCache(std::string_view text, std::vector<TokenId>& ids)
      : text_(text), ids_(&ids), slots_(std::bit_ceil(std::clamp(text.size() / 8, kMin, kMax))) {}

  // Appends the ids of text[begin, end): copied from an earlier place, else by calling `encode`.
  template <typename Encode>
  void append(size_t begin, size_t end, const Encode& encode) {
    const size_t length = end - begin;
    if (length > kLongestWord) return encode(begin, end);
    const std::string_view word = text_.substr(begin, length);
    Slot& slot = slots_[hash_bytes(word) & (slots_.size() - 1)];
    if (slot.length == length && text_.substr(slot.begin, length) == word) {
      for (uint32_t i = 0; i < slot.count; ++i) ids_->push_back((*ids_)[slot.ids_begin + i]);
      return;
    }
    const size_t ids_begin = ids_->size();
    encode(begin, end);
    slot = {static_cast<uint32_t>(begin), static_cast<uint32_t>(length),
            static_cast<uint32_t>(ids_begin), static_cast<uint32_t>(ids_->size() - ids_begin)};
  }

 private:
  static constexpr size_t kMin = 16, kMax = 1 << 14;
  static constexpr size_t kLongestWord = 48;  // longer ones seldom come twice

  struct Slot {
    uint32_t begin = 0;
    uint32_t length = 0;
    uint32_t ids_begin = 0;
    uint32_t count = 0;
  };
  std::string_view text_;
  std::vector<TokenId>* ids_;
  std::vector<Slot> slots_;
};

// The ids of a text whose fragments between tokens are cut into words, each of which `model`
// encodes: words(text, fragment) are their ends.
template <typename Words, typename Model>
std::vector<TokenId> encode_words(const PreparedText& prepared, const Words& words,
                                  const Model& model, WordScratch& scratch) {
  std::vector<TokenId> ids;
  ids.reserve(prepared.text.size() / 3 + prepared.fragments.size());
  WordCache cache(prepared.text, ids);
  for (const Fragment& fragment : prepared.fragments) {
    if (fragment.token >= 0) {
      ids.push_back(fragment.token);
      continue;
    }
    size_t begin = fragment.begin;
    for (const size_t end : words(prepared.text, fragment)) {
      cache.append(begin, end, [&](size_t from, size_t to) {
        model.encode(prepared.text.substr(from, to - from), scratch, ids);
      });
      begin = end;
    }
  }
  return ids;
}

}  // namespace strata::models
