#include "models/tokenizer/merge_table.h"

#include <algorithm>
#include <array>
#include <bit>

#include "core/error.h"
#include "models/tokenizer/tokenizer_limits.h"

namespace strata::models {
namespace {

constexpr std::string_view kKey = "tokenizer.ggml.merges";
constexpr size_t kBatch = 32;

// A merge's two parts and what they make, with their hashes.
struct Parsed {
  std::string_view left;
  std::string_view right;
  std::string result;  // of one piece, to be hashed
  uint64_t hashes[3] = {};
};

void parse(std::string_view merge, size_t index, Parsed& out) {
  const size_t space = merge.find(' ', 1);
  if (space == std::string_view::npos || space + 1 >= merge.size()) {
    throw Error(Code::invalid_argument,
                fmt::format("{}: entry {} is not two tokens with a space between", kKey, index));
  }
  out.left = merge.substr(0, space);
  out.right = merge.substr(space + 1);
  out.result.assign(out.left).append(out.right);
  out.hashes[0] = hash_bytes(out.left);
  out.hashes[1] = hash_bytes(out.right);
  out.hashes[2] = hash_bytes(out.result);
}

TokenId require(const Vocabulary& vocabulary, std::string_view text, uint64_t hash, size_t index) {
  const TokenTable& table = vocabulary.table;
  // Reading the bytes of three tokens a merge would take most of the time to open a model.
  const TokenId id = table.has_unique_tags() ? table.find_member(hash) : table.find(text, hash);
  if (id >= 0) return id;
  throw Error(Code::invalid_argument,
              fmt::format("{}: entry {} names a part or makes a whole of {} bytes that is none of "
                          "the {} tokens",
                          kKey, index, text.size(), vocabulary.size()));
}

}  // namespace

MergeTable::MergeTable(const Vocabulary& vocabulary, const std::vector<std::string_view>& merges) {
  if (merges.size() > kMaxMerges) {
    throw Error(Code::invalid_argument,
                fmt::format("{}: {} entries, the limit is {}", kKey, merges.size(), kMaxMerges));
  }
  entries_.assign(std::bit_ceil(merges.size() * 4 / 3 + 2), Entry{});
  mask_ = entries_.size() - 1;
  shift_ = 64 - static_cast<uint32_t>(std::countr_zero(entries_.size()));
  std::array<Parsed, kBatch> batch;
  std::array<Entry, kBatch> made;
  for (size_t begin = 0; begin < merges.size(); begin += kBatch) {
    const size_t count = std::min(kBatch, merges.size() - begin);
    for (size_t i = 0; i < count; ++i) {
      parse(merges[begin + i], begin + i, batch[i]);
      for (const uint64_t hash : batch[i].hashes) vocabulary.table.prefetch(hash);
    }
    for (size_t i = 0; i < count; ++i) {
      const size_t index = begin + i;
      const Parsed& one = batch[i];
      made[i] = {require(vocabulary, one.left, one.hashes[0], index),
                 require(vocabulary, one.right, one.hashes[1], index), static_cast<uint32_t>(index),
                 require(vocabulary, one.result, one.hashes[2], index)};
      __builtin_prefetch(&entries_[slot_of(made[i].left, made[i].right)]);
    }
    for (size_t i = 0; i < count; ++i) {
      if (vocabulary.is_text(made[i].result)) insert(made[i]);
    }
  }
}

void MergeTable::insert(const Entry& entry) {
  uint64_t at = slot_of(entry.left, entry.right);
  for (size_t probe = 0; probe < kMaxProbes; ++probe, ++at) {
    Entry& slot = entries_[at & mask_];
    if (slot.result < 0) {
      slot = entry;
      return;
    }
    // The first of two like merges holds.
    if (slot.left == entry.left && slot.right == entry.right) return;
  }
  throw Error(
      Code::invalid_argument,
      fmt::format("{}: more than {} entries share a hash; the file is crafted", kKey, kMaxProbes));
}

}  // namespace strata::models
