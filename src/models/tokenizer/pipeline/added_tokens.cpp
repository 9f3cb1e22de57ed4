#include "models/tokenizer/pipeline/added_tokens.h"

#include <algorithm>

#include "core/utf8.h"
#include "models/tokenizer/pipeline/characters.h"

namespace strata::models {
namespace {

// Begin of the last character of `text`, which is not empty.
size_t last_character(std::string_view text) {
  size_t at = text.size() - 1;
  while (at > 0 && text.size() - at < 4 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) --at;
  return utf8_length_at(text, at) == text.size() - at ? at : text.size() - 1;
}

bool ends_with_word(std::string_view text) {
  if (text.empty()) return false;
  size_t at = last_character(text);
  return is_word_character(next_code_point(text, at));
}

bool starts_with_word(std::string_view text) {
  size_t at = 0;
  return !text.empty() && is_word_character(next_code_point(text, at));
}

size_t spaces_at_start(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); count = at) {
    if (!is_white_space(next_code_point(text, at))) break;
  }
  return count;
}

// Where the white space at the end of `text` begins.
size_t spaces_at_end(std::string_view text) {
  while (!text.empty()) {
    const size_t last = last_character(text);
    size_t at = last;
    if (!is_white_space(next_code_point(text, at))) break;
    text = text.substr(0, last);
  }
  return text.size();
}

}  // namespace

AddedTokens::AddedTokens(const std::vector<AddedToken>& tokens, bool normalized) {
  for (const AddedToken& token : tokens) {
    if (token.normalized != normalized || token.content.empty()) continue;
    trie_.insert(token.content, static_cast<TokenId>(entries_.size()));
    entries_.push_back({token.id, token.single_word, token.lstrip, token.rstrip, token.special});
    has_special_ = has_special_ || token.special;
  }
}

int32_t AddedTokens::match_at(std::string_view text, size_t begin, size_t& end) const {
  int32_t node = trie_.child(ByteTrie::kRoot, static_cast<uint8_t>(text[begin]));
  int32_t found = -1;
  for (size_t at = begin + 1; node >= 0; ++at) {
    const TokenId entry = trie_.token(node);
    if (entry >= 0) {
      found = entry;
      end = at;
    }
    node = at < text.size() ? trie_.child(node, static_cast<uint8_t>(text[at])) : -1;
  }
  return found;
}

std::vector<Fragment> AddedTokens::split(std::string_view text, const TrustOf& trust) const {
  std::vector<Fragment> out;
  size_t done = 0;  // up to here in `out`
  for (size_t at = 0; !entries_.empty() && at < text.size();) {
    size_t end = at;
    const int32_t index = match_at(text, at, end);
    if (index < 0) {
      ++at;
      continue;
    }
    const Entry& entry = entries_[static_cast<size_t>(index)];
    size_t begin = at;
    at = end;
    if (entry.special) {
      const Trust of_match = trust(begin, end);
      // What outsiders wrote is passed over as a whole. A spelling that they only began must not
      // hide a token that begins inside of it.
      if (of_match == Trust::mixed) at = begin + 1;
      if (of_match != Trust::trusted) continue;
    }
    if (entry.single_word &&
        (ends_with_word(text.substr(0, begin)) || starts_with_word(text.substr(end)))) {
      continue;
    }
    // White space that a token before took is gone.
    if (entry.lstrip && begin > done) begin = done + spaces_at_end(text.substr(done, begin - done));
    if (entry.rstrip) end += spaces_at_start(text.substr(end));
    if (begin > done) out.push_back({done, begin, -1});
    out.push_back({begin, end, entry.id});
    done = end;
  }
  if (done < text.size()) out.push_back({done, text.size(), -1});
  return out;
}

}  // namespace strata::models
