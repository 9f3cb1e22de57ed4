// The merges of a byte-pair vocabulary as a flat hash table: (left id, right id) -> rank and
// result.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "models/tokenizer/vocabulary.h"

namespace strata::models {

// Where the merges of a file stand: entry by entry, so that nothing is copied for all of them.
class MergeSource {
 public:
  struct Parts {
    std::string_view left;
    std::string_view right;
  };
  virtual ~MergeSource() = default;
  virtual size_t size() const = 0;
  // Errors: invalid_argument when the entry is malformed.
  virtual Parts at(size_t index) const = 0;
  virtual std::string_view name() const = 0;  // for errors
};

// Merges spelled "left right", as in GGUF and in older tokenizer.json.
class SpelledMerges final : public MergeSource {
 public:
  SpelledMerges(const std::vector<std::string_view>& merges, std::string_view name)
      : merges_(&merges), name_(name) {}
  size_t size() const override { return merges_->size(); }
  Parts at(size_t index) const override;
  std::string_view name() const override { return name_; }

 private:
  const std::vector<std::string_view>* merges_;
  std::string_view name_;
};

struct MergeOptions {
  size_t prefix_length = 0;  // of the right part, not in the whole (continuing_subword_prefix)
  bool last_wins = false;    // of two like merges; else the first
};

class MergeTable {
 public:
  struct Entry {
    TokenId left = -1;
    TokenId right = -1;
    uint32_t rank = 0;  // lower ones are merged first
    TokenId result = -1;
  };

  MergeTable() = default;
  // Merges that would make a control token are left out: text never becomes one.
  // Errors: invalid_argument for a merge of or to something that is no token.
  MergeTable(const Vocabulary& vocabulary, const MergeSource& merges,
             const MergeOptions& options = {});

  // nullptr: these two are never merged.
  const Entry* find(TokenId left, TokenId right) const {
    if ((left | right) < 0) return nullptr;
    for (uint64_t at = slot_of(left, right);; ++at) {
      const Entry& entry = entries_[at & mask_];
      if (entry.left == left && entry.right == right) return &entry;
      if (entry.result < 0) return nullptr;
    }
  }

 private:
  uint64_t slot_of(TokenId left, TokenId right) const {
    const uint64_t key =
        static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
    return (key * 0x9E3779B97F4A7C15u) >> shift_;
  }
  void insert(const Entry& entry, const MergeSource& merges, bool last_wins);

  std::vector<Entry> entries_ = std::vector<Entry>(2);
  uint64_t mask_ = 1;
  uint32_t shift_ = 63;
};

}  // namespace strata::models
