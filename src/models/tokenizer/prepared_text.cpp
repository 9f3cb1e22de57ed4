#include "models/tokenizer/prepared_text.h"

#include "core/error.h"
#include "core/utf8.h"
#include "models/tokenizer/pipeline/normal_form.h"
#include "models/tokenizer/tokenizer_limits.h"

namespace strata::models {
namespace {

void append_changed(std::string_view text, const TextChanges& changes, std::string& out) {
  std::string changed;
  if (changes.repair_utf8 && !is_valid_utf8(text)) text = changed = repair_utf8(text);
  if (changes.compose) text = changed = composed(text);
  if (!changes.space_is_mark) {
    out += text;
    return;
  }
  for (size_t at = 0; at < text.size();) {
    const size_t space = std::min(text.find(' ', at), text.size());
    out += text.substr(at, space - at);
    if (space < text.size()) out += kSpaceMark;
    at = space + 1;
  }
}

bool is_mark_at(std::string_view text, size_t at) {
  return text.substr(at, kSpaceMark.size()) == kSpaceMark;
}

// Calls visit(at) for each space mark in text[begin, end) that stands behind something else.
template <typename Visit>
void for_marks_behind_text(std::string_view text, size_t begin, size_t end, const Visit& visit) {
  constexpr size_t kSize = kSpaceMark.size();
  const std::string_view piece = text.substr(0, end);
  for (size_t at = piece.find(kSpaceMark[0], begin + 1); at < end;
       at = piece.find(kSpaceMark[0], at + 1)) {
    if (!is_mark_at(piece, at)) continue;
    if (at < begin + kSize || !is_mark_at(piece, at - kSize)) visit(at);
  }
}

}  // namespace

void check_source(const MarkedText& source) {
  if (source.text.size() > kMaxTextBytes) {
    throw Error(Code::resource_exhausted, fmt::format("the text has {} bytes, the limit is {}",
                                                      source.text.size(), kMaxTextBytes));
  }
  size_t last = 0;
  for (const TextRange& range : source.untrusted) {
    if (range.begin < last || range.end < range.begin || range.end > source.text.size()) {
      throw Error(Code::invalid_argument,
                  fmt::format("untrusted range [{}, {}) of a text of {} bytes, behind one that "
                              "ends at {}",
                              range.begin, range.end, source.text.size(), last));
    }
    last = range.end;
  }
}

void prepare_text(const MarkedText& source, const SpecialMatcher& matcher,
                  const TextChanges& changes, PreparedText& out) {
  check_source(source);
  out.fragments = matcher.split(source.text, source.untrusted);
  const bool repair = changes.repair_utf8 && !is_valid_utf8(source.text);
  if (!repair && !changes.compose && !changes.space_is_mark && !changes.add_space_prefix) {
    out.text = source.text;
    return;
  }
  out.owned.reserve(source.text.size() + source.text.size() / 2);
  bool behind_special = true;
  for (Fragment& fragment : out.fragments) {
    const size_t begin = out.owned.size();
    if (fragment.token < 0) {
      if (changes.add_space_prefix && behind_special) {
        out.owned += changes.space_is_mark ? kSpaceMark : " ";
      }
      const auto text =
          std::string_view(source.text).substr(fragment.begin, fragment.end - fragment.begin);
      append_changed(text, changes, out.owned);
    }
    behind_special = fragment.token >= 0;
    fragment.begin = begin;
    fragment.end = out.owned.size();
  }
  out.text = out.owned;
  if (out.text.size() > UINT32_MAX) {
    throw Error(Code::resource_exhausted,
                fmt::format("the text grows to {} bytes when it is made ready", out.text.size()));
  }
}

MarkBoundaries::MarkBoundaries(const Vocabulary& vocabulary) {
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    const std::string_view token = vocabulary.tokens[i];
    if (token.size() < 2) continue;
    for_marks_behind_text(token, 0, token.size(),
                          [&](size_t at) { crossed_[static_cast<uint8_t>(token[at - 1])] = true; });
  }
}

Ends MarkBoundaries::cut(std::string_view text, size_t begin, const Ends& pieces) const {
  Ends out;
  out.reserve(text.size() / 8 + pieces.size());
  for (const size_t end : pieces) {
    for_marks_behind_text(text, begin, end, [&](size_t at) {
      if (!crossed_[static_cast<uint8_t>(text[at - 1])]) out.push_back(static_cast<uint32_t>(at));
    });
    out.push_back(static_cast<uint32_t>(end));
    begin = end;
  }
  return out;
}

}  // namespace strata::models
