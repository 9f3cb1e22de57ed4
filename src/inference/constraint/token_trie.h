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
    uint8_t depth = 0;  // bytes
  };
  // What the tokens below a node have from the node's own byte on, so that all of them can be
  // chosen without a look at each. A node inside a character has none.
  struct Branch {
    Characters of;
    int32_t first = 0;  // of order_
    int32_t end = 0;
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
  int32_t next_alike(int32_t token) const { return alike_[static_cast<size_t>(token)]; }  // or -1
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
  int32_t child(int32_t node, uint8_t byte) const;  // or -1
  void find_branches();
  void find_spots();
  void make_groups();

  std::vector<Node> nodes_;
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

}  // namespace strata::inference
