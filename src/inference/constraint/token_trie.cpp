#include "inference/constraint/token_trie.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "core/utf8.h"

namespace strata::inference {
namespace {

constexpr int32_t kManyTokens = 4;

bool is_letter(uint8_t c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// Empty: cannot be part of a text.
std::string bytes_of(const models::Tokenizer& tokenizer, int32_t id) {
  switch (tokenizer.kind(id)) {
    case models::TokenKind::unknown:
    case models::TokenKind::unused:
      return {};
    case models::TokenKind::control:
      return static_cast<char>(TokenTrie::kControl) + tokenizer.piece(id, true);
    default:
      return tokenizer.piece(id);
  }
}

}  // namespace

TokenTrie::TokenTrie(const models::Tokenizer& tokenizer, int32_t n_tokens)
    : alike_(static_cast<size_t>(n_tokens), -1) {
  for (int32_t id = 0; id < n_tokens; ++id) {
    begins_.push_back(static_cast<uint32_t>(text_.size()));
    if (tokenizer.ends_generation(id)) {
      ends_.push_back(id);
      continue;
    }
    const std::string text = bytes_of(tokenizer, id);
    if (text.empty() || text.size() > kLongestToken) continue;
    text_ += text;
    order_.push_back(id);
  }
  begins_.push_back(static_cast<uint32_t>(text_.size()));
  std::sort(order_.begin(), order_.end(), [&](int32_t a, int32_t b) {
    const auto order_of_bytes = bytes(a).compare(bytes(b));
    return order_of_bytes != 0 ? order_of_bytes < 0 : a > b;
  });
  nodes_.push_back({});
  std::vector<int32_t> path{0};  // from the root to the last node
  const auto close_to = [&](size_t depth) {
    for (; path.size() > depth + 1; path.pop_back()) {
      nodes_[static_cast<size_t>(path.back())].end = static_cast<int32_t>(nodes_.size());
    }
  };
  std::string_view last;
  for (const int32_t id : order_) {
    const std::string_view text = bytes(id);
    const auto differ = std::mismatch(last.begin(), last.end(), text.begin(), text.end());
    const auto shared = static_cast<size_t>(differ.second - text.begin());
    close_to(shared);
    for (size_t i = shared; i < text.size(); ++i) {
      path.push_back(static_cast<int32_t>(nodes_.size()));
      nodes_.push_back(
          {.byte = static_cast<uint8_t>(text[i]), .depth = static_cast<uint8_t>(i + 1)});
    }
    Node& node = nodes_[static_cast<size_t>(path.back())];
    alike_[static_cast<size_t>(id)] = node.token;
    node.alike = node.token >= 0;
    node.token = id;
    last = text;
  }
  close_to(0);
  nodes_[0].end = static_cast<int32_t>(nodes_.size());
  find_branches();
  find_children();
  find_spots();
  make_groups();
}

int32_t TokenTrie::child(int32_t node, uint8_t byte) const {
  const int32_t end = nodes_[static_cast<size_t>(node)].end;
  for (int32_t at = node + 1; at < end; at = nodes_[static_cast<size_t>(at)].end) {
    if (nodes_[static_cast<size_t>(at)].byte == byte) return at;
  }
  return -1;
}

int32_t TokenTrie::node_of(std::string_view text) const {
  int32_t node = 0;
  for (const char c : text) {
    node = child(node, static_cast<uint8_t>(c));
    if (node < 0) break;
  }
  return node;
}

int32_t TokenTrie::longest(std::string_view text) const {
  int32_t found = -1;
  int32_t node = 0;
  for (const char c : text) {
    node = child(node, static_cast<uint8_t>(c));
    if (node < 0) break;
    const int32_t token = nodes_[static_cast<size_t>(node)].token;
    if (token >= 0) found = token;
  }
  return found;
}

void TokenTrie::find_children() {
  constexpr size_t kMany = 8;
  for (size_t byte = 0; byte < beginnings_.size(); ++byte) {
    beginnings_[byte] = child(0, static_cast<uint8_t>(byte));
  }
  for (size_t i = 1; i < nodes_.size(); ++i) {
    if (nodes_[i].branch < 0) continue;
    const size_t begin = children_.size();
    each_child(static_cast<int32_t>(i), ByteSet::all(), [&](int32_t node) {
      children_.push_back({node, nodes_[static_cast<size_t>(node)].byte});
    });
    if (children_.size() < begin + kMany) {
      children_.resize(begin);
      continue;
    }
    children_.push_back({});
    branches_[static_cast<size_t>(nodes_[i].branch)].children = static_cast<int32_t>(begin);
  }
}

// From the last node to the first: what is below each of the open depths comes before it.
void TokenTrie::find_branches() {
  std::array<Branch, kLongestToken + 2> below{};  // by depth
  auto first = static_cast<int32_t>(order_.size());
  for (size_t i = nodes_.size(); i-- > 1;) {
    Node& node = nodes_[i];
    Branch here = std::exchange(below[node.depth + 1u], {});
    const int32_t end = first;
    each_token(node, [&](int32_t) { --first; });
    here.first = first;
    here.end = std::max(here.end, end);
    here.broken |= node.token >= 0 && !is_valid_utf8(bytes(node.token));
    here.of.add(node.byte);
    const bool begins = (node.byte & 0xC0) != 0x80;
    if (begins || here.broken) ++here.characters;
    if (begins && here.end - here.first >= kManyTokens) {
      node.branch = static_cast<int32_t>(branches_.size());
      branches_.push_back(here);
    }
    Branch& whole = below[node.depth];
    whole.of = whole.of | here.of;
    whole.characters = std::max(whole.characters, here.characters);
    whole.end = std::max(whole.end, here.end);
    whole.broken |= here.broken;
  }
}

Characters TokenTrie::without_spots(const Characters& of) {
  static const Characters kWithout = [] {
    Characters all{.beyond = true};
    for (uint8_t c = 0; c < 128; ++c) {
      if (is_letter(c)) all.add(c);
    }
    return all;
  }();
  return of & kWithout;
}

void TokenTrie::Spots::add(int32_t node, std::string_view bytes) {
  const std::string_view last = all.empty() ? std::string_view() : this->bytes(all.size() - 1);
  const auto differ = std::mismatch(last.begin(), last.end(), bytes.begin(), bytes.end());
  const auto shared = static_cast<uint8_t>(differ.second - bytes.begin());
  text += bytes;
  all.push_back({node, static_cast<uint32_t>(text.size()), shared});
}

// A node is made for the first token that begins with it, as when the tree was.
void TokenTrie::find_spots() {
  int32_t node = 0;
  std::string_view last;
  for (const int32_t token : order_) {
    const std::string_view text = bytes(token);
    const auto differ = std::mismatch(last.begin(), last.end(), text.begin(), text.end());
    const auto shared = static_cast<size_t>(differ.second - text.begin());
    int32_t characters = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      const auto byte = static_cast<uint8_t>(text[i]);
      const bool begins = (byte & 0xC0) != 0x80;
      if (begins) ++characters;
      if (i < shared) continue;
      const std::string_view here = text.substr(0, i + 1);
      ++node;
      const bool first = characters <= kLongText && text.find(text[i]) == i;
      if (first && byte < 128 && !is_letter(byte)) spots_[byte].add(node, here);
      if (begins && characters == kLongText + 1) long_texts_.add(node, here);
      if (here == text && !is_valid_utf8(text)) broken_.add(node, here);
    }
    last = text;
  }
}

void TokenTrie::make_groups() {
  groups_ = std::make_unique<const TokenGroups>(order_, n_words(),
                                                [this](int32_t token) { return bytes(token); });
}

bool TokenTrie::is_end(int32_t token) const {
  return std::binary_search(ends_.begin(), ends_.end(), token);
}

const StringInside& TokenTrie::string_tail(size_t i,
                                           const std::function<StringInside()>& make) const {
  const std::lock_guard lock(mutex_);
  if (!string_tails_[i]) string_tails_[i] = std::make_unique<const StringInside>(make());
  return *string_tails_[i];
}

}  // namespace strata::inference
