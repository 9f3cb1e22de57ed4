#include "models/tokenizer/merge_table.h"

#include <algorithm>
#include <array>
#include <bit>

#include "core/error.h"
#include "models/tokenizer/tokenizer_limits.h"

namespace strata::models {
namespace {

constexpr size_t kBatch = 32;

// A merge's two parts and what they make, with their hashes.
struct Parsed {
  std::string_view left;
  std::string_view right;
  std::string result;  // of one piece, to be hashed
  uint64_t hashes[3] = {};
};

void parse(const MergeSource& merges, size_t index, size_t prefix_length, Parsed& out) {
  const auto [left, right] = merges.at(index);
  if (right.size() < prefix_length) {
    throw Error(Code::invalid_argument,
                fmt::format("{}: the right part of entry {} is shorter than the prefix of {} bytes",
                            merges.name(), index, prefix_length));
  }
  out.left = left;
  out.right = right;
  out.result.assign(left).append(right.substr(prefix_length));
  out.hashes[0] = hash_bytes(out.left);
  out.hashes[1] = hash_bytes(out.right);
  out.hashes[2] = hash_bytes(out.result);
}

TokenId require(const Vocabulary& vocabulary, std::string_view text, uint64_t hash, size_t index,
                std::string_view name) {
  const TokenTable& table = vocabulary.table;
  // Reading the bytes of three tokens a merge would take most of the time to open a model.
  const TokenId id = table.has_unique_tags() ? table.find_member(hash) : table.find(text, hash);
  if (id >= 0) return id;
  throw Error(Code::invalid_argument,
              fmt::format("{}: entry {} names a part or makes a whole of {} bytes that is none of "
                          "the {} tokens",
                          name, index, text.size(), vocabulary.size()));
}

}  // namespace

MergeSource::Parts SpelledMerges::at(size_t index) const {
  const std::string_view merge = (*merges_)[index];
  const size_t space = merge.find(' ', 1);
  if (space == std::string_view::npos || space + 1 >= merge.size()) {
    throw Error(Code::invalid_argument,
                fmt::format("{}: entry {} is not two tokens with a space between", name_, index));
  }
  return {merge.substr(0, space), merge.substr(space + 1)};
}

MergeTable::MergeTable(const Vocabulary& vocabulary, const MergeSource& merges,
                       const MergeOptions& options) {
  if (merges.size() > kMaxMerges) {
    throw Error(Code::invalid_argument, fmt::format("{}: {} entries, the limit is {}",
                                                    merges.name(), merges.size(), kMaxMerges));
  }
  entries_.assign(std::bit_ceil(merges.size() * 4 / 3 + 2), Entry{});
  mask_ = entries_.size() - 1;
  shift_ = 64 - static_cast<uint32_t>(std::countr_zero(entries_.size()));
  std::array<Parsed, kBatch> batch;
  std::array<Entry, kBatch> made;
  for (size_t begin = 0; begin < merges.size(); begin += kBatch) {
    const size_t count = std::min(kBatch, merges.size() - begin);
    for (size_t i = 0; i < count; ++i) {
      parse(merges, begin + i, options.prefix_length, batch[i]);
      for (const uint64_t hash : batch[i].hashes) vocabulary.table.prefetch(hash);
    }
    for (size_t i = 0; i < count; ++i) {
      const size_t index = begin + i;
      const Parsed& one = batch[i];
      const auto token = [&](std::string_view text, uint64_t hash) {
        return require(vocabulary, text, hash, index, merges.name());
      };
      made[i] = {token(one.left, one.hashes[0]), token(one.right, one.hashes[1]),
                 static_cast<uint32_t>(index), token(one.result, one.hashes[2])};
      __builtin_prefetch(&entries_[slot_of(made[i].left, made[i].right)]);
    }
    for (size_t i = 0; i < count; ++i) {
      if (vocabulary.is_text(made[i].result)) insert(made[i], merges, options.last_wins);
    }
  }
}

void MergeTable::insert(const Entry& entry, const MergeSource& merges, bool last_wins) {
  uint64_t at = slot_of(entry.left, entry.right);
  for (size_t probe = 0; probe < kMaxProbes; ++probe, ++at) {
    Entry& slot = entries_[at & mask_];
    if (slot.result < 0) {
      slot = entry;
      return;
    }
    if (slot.left == entry.left && slot.right == entry.right) {
      if (last_wins) slot = entry;
      return;
    }
  }
  throw Error(Code::invalid_argument,
              fmt::format("{}: more than {} entries share a hash; the file is crafted",
                          merges.name(), kMaxProbes));
}

}  // namespace strata::models
