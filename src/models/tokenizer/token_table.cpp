#include "models/tokenizer/token_table.h"

#include <algorithm>
#include <array>
#include <bit>

#include "core/error.h"
#include "models/tokenizer/tokenizer_limits.h"

namespace strata::models {

TokenTable::TokenTable(std::span<const std::string_view> tokens) : tokens_(tokens) {
  slots_.assign(std::bit_ceil(tokens.size() * 2 + 2), Slot{});
  mask_ = slots_.size() - 1;
  constexpr size_t kBatch = 32;
  std::array<uint64_t, kBatch> hashes;
  for (size_t begin = 0; begin < tokens.size(); begin += kBatch) {
    const size_t count = std::min(kBatch, tokens.size() - begin);
    for (size_t i = 0; i < count; ++i) {
      hashes[i] = hash_bytes(tokens[begin + i]);
      prefetch(hashes[i]);
    }
    for (size_t i = 0; i < count; ++i) {
      if (!tokens[begin + i].empty()) insert(static_cast<int32_t>(begin + i), hashes[i]);
    }
  }
}

void TokenTable::insert(int32_t id, uint64_t hash) {
  const uint32_t tag = tag_of(hash);
  for (size_t probe = 0; probe < kMaxProbes; ++probe) {
    Slot& slot = slots_[(hash + probe) & mask_];
    if (slot.id < 0) {
      slot = {tag, id};
      return;
    }
    if (slot.tag != tag) continue;
    unique_tags_ = false;
    if (tokens_[static_cast<size_t>(slot.id)] == tokens_[static_cast<size_t>(id)]) {
      throw Error(Code::invalid_argument,
                  fmt::format("vocabulary: tokens {} and {} are spelled alike", slot.id, id));
    }
  }
  throw Error(
      Code::invalid_argument,
      fmt::format("vocabulary: more than {} tokens share a hash; the file is crafted", kMaxProbes));
}

int32_t TokenTable::find_member(uint64_t hash) const {
  const uint32_t tag = tag_of(hash);
  for (size_t probe = 0; probe < kMaxProbes; ++probe) {
    const Slot slot = slots_[(hash + probe) & mask_];
    if (slot.id < 0 || slot.tag == tag) return slot.id;
  }
  return -1;
}

int32_t TokenTable::find(std::string_view text, uint64_t hash) const {
  const uint32_t tag = tag_of(hash);
  for (size_t probe = 0; probe < kMaxProbes; ++probe) {
    const Slot slot = slots_[(hash + probe) & mask_];
    if (slot.id < 0) return -1;
    if (slot.tag == tag && tokens_[static_cast<size_t>(slot.id)] == text) return slot.id;
  }
  return -1;
}

}  // namespace strata::models
