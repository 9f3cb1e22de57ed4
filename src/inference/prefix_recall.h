// Brings beginnings back from a file into the prefix tree, those only that a request begins with.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inference/prefix_file.h"
#include "inference/prefix_tree.h"

namespace strata::inference {

class PrefixRecall {
 public:
  // Pools and tree outlive it. Precondition: the file's identity is that of the cache.
  PrefixRecall(PrefixFile file, std::vector<KvPool>& pools, PrefixTree& tree);

  // How many of the first tokens the file knows.
  int32_t length(uint64_t scope, std::span<const int32_t> tokens) const {
    return find(scope, tokens).length;
  }
  const fs::path& path() const { return file_.path(); }

  // Reads what the file holds of the beginning of `tokens` and the tree does not, as far as there
  // is room. Where windows slide that is what a sequence needs that goes on behind the beginning.
  // Nodes that nobody uses may be gone afterwards. Errors: those of PrefixFile::read_block; what
  // was read before is right.
  void recall(uint64_t scope, PrefixNode* root, std::span<const int32_t> tokens);

 private:
  struct Match {
    std::vector<int32_t> path;  // nodes of the file
    int32_t length = 0;         // tokens
  };
  class Holding;
  Match find(uint64_t scope, std::span<const int32_t> tokens) const;
  bool is_missing(const PrefixNode* known, int32_t index, size_t pool) const;
  PrefixNode* read(int32_t index, size_t nth, int32_t length, PrefixNode* parent, Holding& holding);

  PrefixFile file_;
  std::vector<KvPool>& pools_;
  PrefixTree& tree_;
};

}  // namespace strata::inference
