// Merges the symbols of one word, best pair first, as byte-pair encodings do: the pair of lowest
// priority number, of equal ones the leftmost, until no pair is a merge. O(n log n) for n symbols.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "models/tokenizer/tokenizer.h"

namespace strata::models {

// A stretch of the text that is one token already, or (id < 0) none yet.
struct Symbol {
  TokenId id = -1;
  uint32_t begin = 0;
  uint32_t length = 0;
};

constexpr uint32_t kNoMerge = UINT32_MAX;

// What two neighbours would become.
struct PairMerge {
  uint32_t priority = kNoMerge;
  TokenId result = -1;
};

class WordMerger {
 public:
  // Merges `symbols` in place. `pair(left, right)` says what two neighbours become; it must depend
  // on the two symbols only.
  template <typename Pair>
  void merge(std::vector<Symbol>& symbols, const Pair& pair) {
    if (symbols.size() < 2) return;
    symbols.size() <= kShort ? merge_short(symbols, pair) : merge_long(symbols, pair);
  }

 private:
  static constexpr size_t kShort = 24;  // up to here a scan for the best pair beats a heap

  struct Link {
    int32_t previous = -1;
    int32_t next = -1;
  };
  struct Queued {
    uint32_t priority;
    int32_t left;
    int32_t right;
    uint32_t length;  // of both when queued; another one now: outdated
    TokenId result;
  };

  static void join(Symbol& left, const Symbol& right, TokenId result) {
    left.id = result;
    left.length += right.length;
  }

  template <typename Pair>
  void merge_short(std::vector<Symbol>& symbols, const Pair& pair) {
    PairMerge pairs[kShort];
    size_t n = symbols.size();
    for (size_t i = 0; i + 1 < n; ++i) pairs[i] = pair(symbols[i], symbols[i + 1]);
    while (n > 1) {
      size_t best = 0;
      for (size_t i = 1; i + 1 < n; ++i) {
        if (pairs[i].priority < pairs[best].priority) best = i;
      }
      if (pairs[best].priority == kNoMerge) break;
      join(symbols[best], symbols[best + 1], pairs[best].result);
      for (size_t i = best + 1; i + 1 < n; ++i) symbols[i] = symbols[i + 1];
      for (size_t i = best + 1; i + 2 < n; ++i) pairs[i] = pairs[i + 1];
      --n;
      if (best + 1 < n) pairs[best] = pair(symbols[best], symbols[best + 1]);
      if (best > 0) pairs[best - 1] = pair(symbols[best - 1], symbols[best]);
    }
    symbols.resize(n);
  }

  // Later in the order of merging; the standard heap keeps its greatest element on top.
  static bool later(const Queued& a, const Queued& b) {
    return a.priority != b.priority ? a.priority > b.priority : a.left > b.left;
  }

  template <typename Pair>
  void queue(const std::vector<Symbol>& symbols, int32_t left, int32_t right, const Pair& pair) {
    if (left < 0 || right < 0) return;
    const Symbol& a = symbols[static_cast<size_t>(left)];
    const Symbol& b = symbols[static_cast<size_t>(right)];
    const PairMerge merge = pair(a, b);
    if (merge.priority == kNoMerge) return;
    heap_.push_back({merge.priority, left, right, a.length + b.length, merge.result});
    std::push_heap(heap_.begin(), heap_.end(), later);
  }

  template <typename Pair>
  void merge_long(std::vector<Symbol>& symbols, const Pair& pair) {
    const auto n = static_cast<int32_t>(symbols.size());
    links_.resize(symbols.size());
    for (int32_t i = 0; i < n; ++i) {
      links_[static_cast<size_t>(i)] = {i - 1, i + 1 < n ? i + 1 : -1};
    }
    heap_.clear();
    for (int32_t i = 0; i + 1 < n; ++i) queue(symbols, i, i + 1, pair);
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), later);
      const Queued top = heap_.back();
      heap_.pop_back();
      Symbol& left = symbols[static_cast<size_t>(top.left)];
      Symbol& right = symbols[static_cast<size_t>(top.right)];
      const bool alive = left.length > 0 && right.length > 0;
      if (!alive || left.length + right.length != top.length) continue;
      join(left, right, top.result);
      right.length = 0;
      Link& link = links_[static_cast<size_t>(top.left)];
      link.next = links_[static_cast<size_t>(top.right)].next;
      if (link.next >= 0) links_[static_cast<size_t>(link.next)].previous = top.left;
      queue(symbols, link.previous, top.left, pair);
      queue(symbols, top.left, link.next, pair);
    }
    std::erase_if(symbols, [](const Symbol& symbol) { return symbol.length == 0; });
  }

  std::vector<Link> links_;
  std::vector<Queued> heap_;
};

}  // namespace strata::models
