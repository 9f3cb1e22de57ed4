#include "inference/constraint/token_trie.h"

#include <algorithm>
#include <string>

namespace strata::inference {
namespace {

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
  std::vector<int32_t> order;
  for (int32_t id = 0; id < n_tokens; ++id) {
    begins_.push_back(static_cast<uint32_t>(text_.size()));
    if (tokenizer.ends_generation(id)) {
      ends_.push_back(id);
      continue;
    }
    const std::string text = bytes_of(tokenizer, id);
    if (text.empty() || text.size() > kLongestToken) continue;
    text_ += text;
    order.push_back(id);
  }
  begins_.push_back(static_cast<uint32_t>(text_.size()));
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
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
  for (const int32_t id : order) {
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
    node.token = id;
    last = text;
  }
  close_to(0);
  nodes_[0].end = static_cast<int32_t>(nodes_.size());
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
