// What of the prefix tree, and of the file that it was brought back from, goes into the next file.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "inference/prefix_file.h"
#include "inference/prefix_tree.h"

namespace strata::inference {

class PrefixSave {
 public:
  // The tree's nodes, the latest used first, then what only `old` has, in its order, as far as
  // max_bytes go. `head`: model, identity and pools. The tree must not change and `old` (null:
  // there is none), which has the same head, must live while this does.
  PrefixSave(PrefixIndex head, PrefixTree& tree, PrefixFile* old, uint64_t max_bytes);

  const PrefixIndex& index() const { return index_; }
  uint64_t file_bytes() const { return index_size_ + blocks_size_; }
  // Whether there is a block that the old file has not.
  bool is_news() const { return is_news_; }
  // Whether the tree holds anything.
  bool is_of_use() const { return !from_live_.empty(); }
  // Writes it. Errors: those of write_prefix_file and of reading the old file.
  void write(const fs::path& path, const std::vector<KvPool>& pools);

 private:
  struct Origin {
    const PrefixNode* live = nullptr;
    int32_t old = -1;
  };
  bool add(PrefixFileNode node, Origin origin);
  bool add_live(uint64_t scope, const PrefixNode& node);
  bool add_old(int32_t index);
  int32_t old_index(uint64_t scope, const PrefixNode& node) const;
  bool is_covered(int32_t parent, const PrefixFileNode& node) const;

  PrefixFile* old_ = nullptr;
  const uint64_t max_bytes_;
  PrefixIndex index_;
  std::vector<Origin> origins_;                     // of each node
  std::map<const PrefixNode*, int32_t> from_live_;  // numbers in index_
  std::vector<int32_t> from_old_;                   // the same; -1: not (yet) taken
  uint64_t index_size_ = 0;                         // bytes
  uint64_t blocks_size_ = 0;
  bool is_news_ = false;
};

}  // namespace strata::inference
