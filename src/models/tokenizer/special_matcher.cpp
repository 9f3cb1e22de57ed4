#include "models/tokenizer/special_matcher.h"

#include <algorithm>

namespace strata::models {
namespace {

bool is_ascii_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

}  // namespace

const TextRange* first_touched(std::span<const TextRange> ranges, size_t begin, size_t end) {
  auto after = std::upper_bound(
      ranges.begin(), ranges.end(), begin,
      [](size_t position, const TextRange& range) { return position < range.end; });
  while (after != ranges.end() && after->begin == after->end) ++after;
  return after != ranges.end() && after->begin < end ? &*after : nullptr;
}

SpecialMatcher::SpecialMatcher(const Vocabulary& vocabulary, StripRules strip)
    : vocabulary_(&vocabulary), strip_(std::move(strip)) {
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    const TokenKind kind = vocabulary.kinds[i];
    const bool special =
        kind == TokenKind::control || kind == TokenKind::unknown || kind == TokenKind::user_defined;
    if (special) trie_.insert(vocabulary.tokens[i], static_cast<TokenId>(i));
  }
}

bool SpecialMatcher::may_match(TokenId id, size_t begin,
                               std::span<const TextRange> untrusted) const {
  if (vocabulary_->kind(id) == TokenKind::user_defined) return true;
  return first_touched(untrusted, begin, begin + vocabulary_->token(id).size()) == nullptr;
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
    int32_t node = trie_.child(ByteTrie::kRoot, static_cast<uint8_t>(text[begin]));
    for (size_t end = begin + 1; node >= 0; ++end) {
      const TokenId id = trie_.token(node);
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
      node = end < text.size() ? trie_.child(node, static_cast<uint8_t>(text[end])) : -1;
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
