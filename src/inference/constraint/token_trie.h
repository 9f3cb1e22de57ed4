// A vocabulary's tokens as a tree of their bytes, in the order of a walk through it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inference/constraint/byte_set.h"
#include "inference/constraint/characters.h"
#include "inference/constraint/inside_store.h"
#include "inference/constraint/token_groups.h"
#include "models/tokenizer/tokenizer.h"

namespace strata::inference {

// Of the inside of JSON strings also how many characters each token takes, so that strings of
// limited length need no walk of their own.
struct StringInside {
  Inside inside;
  struct Counted {
    int32_t characters = 0;
    int32_t what = 0;  // a token, or a node
  };
  std::vector<TokenBits> no_longer;  // tokens, by how many characters they have at most
  std::vector<Counted> long_tokens;  // that are in none of these, the one with most first
  std::vector<Counted> closers;      // those that end with the quote, with fewest characters first
  std::vector<Counted> crossings;    // as in `inside`
};

// Immutable; from any thread. Made once a model.
class TokenTrie {
 public:
  struct Node {
    int32_t token = -1;   // that ends here: the first of those with the same bytes
    int32_t end = 0;      // the node behind all that begin with this one
    int32_t branch = -1;  // of branches(), where many tokens begin with this one
    uint8_t byte = 0;
    uint8_t depth = 0;   // bytes
    bool alike = false;  // more than one token ends here
  };
  // What the tokens below a node have from the node's own byte on, so that all of them can be
  // chosen without a look at each. A node inside a character has none.
  struct Branch {
    Characters of;
    int32_t first = 0;  // of order_
    int32_t end = 0;
    int32_t children = -1;   // of children_, where there are many
    uint8_t characters = 0;  // of the longest
    bool broken = false;     // has parts of characters
  };
  // Nodes where tokens have a certain character, with their bytes.
  struct Spot {
    int32_t node = 0;
    uint32_t end = 0;    // of its bytes, which stand behind those of the spot before
    uint8_t shared = 0;  // of them as many as the spot before begins with
  };
  struct Spots {
    std::vector<Spot> all;
    std::string text;
    void add(int32_t node, std::string_view bytes);
    std::string_view bytes(size_t i) const {
      const uint32_t begin = i == 0 ? 0 : all[i - 1].end;
      return std::string_view(text).substr(begin, all[i].end - begin);
    }
  };
  // What is in front of the spelling of a control token; no text has such a byte.
  static constexpr uint8_t kControl = 0xFF;
  // What a reasoning is to a rule, once it has ended; no text has such a byte either.
  static constexpr uint8_t kReasoning = 0xFE;
  static constexpr size_t kLongestToken = 255;  // longer ones are never chosen
  static constexpr int32_t kLongText = 16;      // characters; what few tokens are longer than

  // n_tokens: ids that may be chosen.
  TokenTrie(const models::Tokenizer& tokenizer, int32_t n_tokens);

  std::span<const Node> nodes() const { return nodes_; }  // the first is the root
  // Calls `look` with the nodes below one, each before those below it: of a node's children those
  // whose byte `may_come` has, by their depth; of what is below them what is below those of which
  // `look` says so.
  void each_below(int32_t node, const auto& may_come, const auto& look) const {
    each_child(node, may_come(nodes_[static_cast<size_t>(node)].depth), [&](int32_t child) {
      if (look(child)) each_below(child, may_come, look);
    });
  }
  std::span<const Branch> branches() const { return branches_; }
  std::span<const int32_t> tokens(const Branch& branch) const {
    return std::span(order_).subspan(static_cast<size_t>(branch.first),
                                     static_cast<size_t>(branch.end - branch.first));
  }
  // Where tokens have one of ASCII's characters but letters first, within kLongText characters.
  const Spots& spots_of(uint8_t sign) const { return spots_[sign]; }
  // Where tokens go on behind kLongText characters.
  const Spots& long_texts() const { return long_texts_; }
  // The ends of tokens that have parts of characters.
  const Spots& broken() const { return broken_; }
  static Characters without_spots(const Characters& of);  // those that have none
  // Calls `each` with every token that ends at the node. The list of those with the same bytes is
  // not looked at where there is one, as nearly everywhere: it lay in no cache, and that took a
  // twentieth of the time of slow masks.
  void each_token(const Node& node, const auto& each) const {
    if (node.token < 0) return;
    each(node.token);
    if (!node.alike) return;
    for (int32_t t = next_alike(node.token); t >= 0; t = next_alike(t)) each(t);
  }
  std::span<const int32_t> ends() const { return ends_; }  // tokens that end a text
  bool is_end(int32_t token) const;
  const TokenGroups& groups() const { return *groups_; }
  int32_t n_tokens() const { return static_cast<int32_t>(alike_.size()); }
  size_t n_words() const { return (alike_.size() + 63) / 64; }
  std::string_view bytes(int32_t token) const {
    const auto at = static_cast<size_t>(token);
    return std::string_view(text_).substr(begins_[at], begins_[at + 1] - begins_[at]);
  }
  int32_t node_of(std::string_view text) const;  // where it leads; -1: no token begins with it
  // The longest token that the text begins with; -1: none.
  int32_t longest(std::string_view text) const;
  InsideStore& insides() const { return insides_; }
  // What Expressions::string_tails[i] leaves, the same in every grammar.
  const StringInside& string_tail(size_t i, const std::function<StringInside()>& make) const;

 private:
  int32_t child(int32_t node, uint8_t byte) const;                                        // or -1
  int32_t next_alike(int32_t token) const { return alike_[static_cast<size_t>(token)]; }  // or -1
  void each_child(int32_t node, ByteSet bytes, const auto& each) const;
  void find_children();
  void find_branches();
  void find_spots();
  void make_groups();

  std::vector<Node> nodes_;
  // Children lie far apart, each in another line of the cache: to pass by those that may not come
  // took a tenth of the time of slow masks. So they are listed where they are many.
  struct Child {
    int32_t node = -1;
    uint8_t byte = 0;
  };
  std::array<int32_t, 256> beginnings_;  // the root's child with a byte, or -1
  std::vector<Child> children_;          // behind those of a node stands one without a node
  std::vector<Branch> branches_;
  std::array<Spots, 128> spots_;
  Spots long_texts_, broken_;
  std::vector<int32_t> order_;  // tokens as a walk meets them
  std::vector<int32_t> alike_;
  std::vector<int32_t> ends_;
  std::string text_;
  std::vector<uint32_t> begins_;
  std::unique_ptr<const TokenGroups> groups_;
  mutable InsideStore insides_;
  mutable std::mutex mutex_;
  mutable std::array<std::unique_ptr<const StringInside>, 2> string_tails_;
};

inline void TokenTrie::each_child(int32_t node, ByteSet bytes, const auto& each) const {
  const Node& parent = nodes_[static_cast<size_t>(node)];
  if (node == 0) {
    bytes.each([&](uint8_t byte) {
      if (beginnings_[byte] >= 0) each(beginnings_[byte]);
    });
    return;
  }
  const int32_t listed =
      parent.branch < 0 ? -1 : branches_[static_cast<size_t>(parent.branch)].children;
  if (listed >= 0) {
    for (auto at = static_cast<size_t>(listed); children_[at].node >= 0; ++at) {
      if (bytes.has(children_[at].byte)) each(children_[at].node);
    }
    return;
  }
  for (int32_t at = node + 1; at < parent.end; at = nodes_[static_cast<size_t>(at)].end) {
    if (bytes.has(nodes_[static_cast<size_t>(at)].byte)) each(at);
  }
}

}  // namespace strata::inference
