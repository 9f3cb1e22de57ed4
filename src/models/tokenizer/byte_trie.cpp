#include "models/tokenizer/byte_trie.h"

#include "core/error.h"

namespace strata::models {

void ByteTrie::insert(std::string_view text, TokenId id) {
  if (text.empty()) return;
  int32_t node = kRoot;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    const int32_t next = child(node, byte);
    node = next >= 0 ? next : add_child(node, byte);
  }
  tokens_[static_cast<size_t>(node)] = id;
}

int32_t ByteTrie::add_child(int32_t node, uint8_t byte) {
  const auto made = static_cast<uint32_t>(tokens_.size());
  if (made > kMaxNodes) {
    throw Error(
        Code::invalid_argument,
        fmt::format("vocabulary: its tokens have more than {} different beginnings", kMaxNodes));
  }
  tokens_.push_back(-1);
  if (node == kRoot) {
    roots_[byte] = static_cast<int32_t>(made);
    return roots_[byte];
  }
  if (2 * ++n_edges_ > edges_.size()) grow();
  put({static_cast<uint32_t>(node), static_cast<uint32_t>(byte) << 24 | made});
  return static_cast<int32_t>(made);
}

void ByteTrie::put(Edge edge) {
  uint64_t at = slot_of(edge.parent, static_cast<uint8_t>(edge.target >> 24));
  while (edges_[at & mask_].parent != 0) ++at;
  edges_[at & mask_] = edge;
}

void ByteTrie::grow() {
  std::vector<Edge> old(edges_.size() * 2);
  old.swap(edges_);
  mask_ = edges_.size() - 1;
  --shift_;
  for (const Edge& edge : old) {
    if (edge.parent != 0) put(edge);
  }
}

}  // namespace strata::models
