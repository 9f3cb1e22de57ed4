#include "models/tokenizer/special_matcher.h"

#include <algorithm>

namespace strata::models {
namespace {

bool is_ascii_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// Whether [begin, end) shares a byte with one of the ascending ranges.
bool touches(std::span<const TextRange> ranges, size_t begin, size_t end) {
  auto after = std::upper_bound(
      ranges.begin(), ranges.end(), begin,
      [](size_t position, const TextRange& range) { return position < range.end; });
  while (after != ranges.end() && after->begin == after->end) ++after;
  return after != ranges.end() && after->begin < end;
}

}  // namespace

SpecialMatcher::SpecialMatcher(const Vocabulary& vocabulary, StripRules strip)
    : vocabulary_(&vocabulary), strip_(std::move(strip)) {
  roots_.fill(-1);
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    const TokenKind kind = vocabulary.kinds[i];
    const bool special =
        kind == TokenKind::control || kind == TokenKind::unknown || kind == TokenKind::user_defined;
    if (special && !vocabulary.tokens[i].empty()) insert(static_cast<TokenId>(i));
  }
}

int32_t SpecialMatcher::child(int32_t node, char byte) const {
  int32_t at = nodes_[static_cast<size_t>(node)].first_child;
  while (at >= 0 && nodes_[static_cast<size_t>(at)].byte != byte) {
    at = nodes_[static_cast<size_t>(at)].sibling;
  }
  return at;
}

void SpecialMatcher::insert(TokenId id) {
  const std::string_view text = vocabulary_->token(id);
  int32_t& root = roots_[static_cast<uint8_t>(text[0])];
  if (root < 0) {
    root = static_cast<int32_t>(nodes_.size());
    nodes_.push_back({-1, -1, -1, text[0]});
  }
  int32_t node = root;
  for (const char byte : text.substr(1)) {
    int32_t next = child(node, byte);
    if (next < 0) {
      next = static_cast<int32_t>(nodes_.size());
      nodes_.push_back({-1, nodes_[static_cast<size_t>(node)].first_child, -1, byte});
      nodes_[static_cast<size_t>(node)].first_child = next;
    }
    node = next;
  }
  nodes_[static_cast<size_t>(node)].token = id;
}

bool SpecialMatcher::may_match(TokenId id, size_t begin,
                               std::span<const TextRange> untrusted) const {
  if (vocabulary_->kind(id) == TokenKind::user_defined) return true;
  return !touches(untrusted, begin, begin + vocabulary_->token(id).size());
}

// Decides which of the overlapping tokens of a cluster hold: longest first, then left to right.
void SpecialMatcher::resolve(std::string_view text, std::span<const TextRange> untrusted,
                             Cluster& cluster, std::vector<Fragment>& found) const {
  if (cluster.n_found == 1) {
    found.push_back({cluster.begin, cluster.end, cluster.tokens[0]});
    return;
  }
  std::sort(cluster.tokens.begin(), cluster.tokens.end(), [this](TokenId a, TokenId b) {
    const size_t left = vocabulary_->token(a).size(), right = vocabulary_->token(b).size();
    return left != right ? left > right : a < b;
  });
  std::vector<Fragment> parts = {{cluster.begin, cluster.end, -1}};
  for (const TokenId id : cluster.tokens) {
    const std::string_view spelling = vocabulary_->token(id);
    std::vector<Fragment> next;
    for (const Fragment& part : parts) {
      size_t from = part.begin;
      size_t search = part.begin;
      while (part.token < 0 && search < part.end) {
        const size_t at = text.substr(0, part.end).find(spelling, search);
        if (at == std::string_view::npos) break;
        search = at + 1;
        if (!may_match(id, at, untrusted)) continue;
        if (at > from) next.push_back({from, at, -1});
        next.push_back({at, at + spelling.size(), id});
        from = search = at + spelling.size();
      }
      if (part.token >= 0 || from < part.end) next.push_back({from, part.end, part.token});
    }
    parts = std::move(next);
  }
  for (const Fragment& part : parts) {
    if (part.token >= 0) found.push_back(part);
  }
}

std::vector<Fragment> SpecialMatcher::split(std::string_view text,
                                            std::span<const TextRange> untrusted) const {
  std::vector<Fragment> found;
  Cluster cluster;
  for (size_t begin = 0; begin < text.size(); ++begin) {
    int32_t node = roots_[static_cast<uint8_t>(text[begin])];
    for (size_t end = begin + 1; node >= 0; ++end) {
      const TokenId id = nodes_[static_cast<size_t>(node)].token;
      if (id >= 0 && may_match(id, begin, untrusted)) {
        if (cluster.n_found > 0 && begin >= cluster.end) {
          resolve(text, untrusted, cluster, found);
          cluster = {};
        }
        if (cluster.n_found == 0) cluster.begin = begin;
        cluster.end = std::max(cluster.end, end);
        ++cluster.n_found;
        auto& tokens = cluster.tokens;
        if (std::find(tokens.begin(), tokens.end(), id) == tokens.end()) tokens.push_back(id);
      }
      node = end < text.size() ? child(node, text[end]) : -1;
    }
  }
  if (cluster.n_found > 0) resolve(text, untrusted, cluster, found);
  return fill_gaps(text, found);
}

std::vector<Fragment> SpecialMatcher::fill_gaps(std::string_view text,
                                                const std::vector<Fragment>& found) const {
  std::vector<Fragment> out;
  out.reserve(found.size() * 2 + 1);
  const auto strips = [](const std::vector<bool>& rule, TokenId id) {
    return !rule.empty() && rule[static_cast<size_t>(id)];
  };
  size_t from = 0;
  const auto add_text = [&](size_t to, bool trim_end) {
    while (trim_end && to > from && is_ascii_space(text[to - 1])) --to;
    if (to > from) out.push_back({from, to, -1});
  };
  for (const Fragment& special : found) {
    add_text(special.begin, strips(strip_.left, special.token));
    out.push_back(special);
    from = special.end;
    if (strips(strip_.right, special.token)) {
      while (from < text.size() && is_ascii_space(text[from])) ++from;
    }
  }
  add_text(text.size(), false);
  return out;
}

}  // namespace strata::models
