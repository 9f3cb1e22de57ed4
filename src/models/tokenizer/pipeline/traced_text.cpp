#include "models/tokenizer/pipeline/traced_text.h"

#include <algorithm>

#include "core/error.h"
#include "core/utf8.h"
#include "models/tokenizer/tokenizer_limits.h"

namespace strata::models {

TracedText untouched(std::string_view text, bool traced, size_t origin, RegexBudget& regex) {
  TracedText out{std::string(text),
                 traced,
                 {},
                 std::min(kMaxTextBytes, kMaxTextGrowth * (text.size() + kMaxTextGrowth)),
                 &regex};
  if (!traced) return out;
  out.origins.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) out.origins.push_back({origin + i, origin + i + 1});
  return out;
}

void repair(TracedText& text) {
  TextEdit edit(text);
  const std::string_view old = edit.old();
  for (size_t at = 0; at < old.size();) {
    const size_t length = utf8_length_at(old, at);
    if (length == 0) {
      edit.put(kReplacement, at, at + 1);
    } else {
      edit.keep(at, at + length);
    }
    at += std::max<size_t>(length, 1);
  }
}

TextEdit::TextEdit(TracedText& target) : target_(&target) {
  old_.text.swap(target.text);
  old_.origins.swap(target.origins);
  old_.traced = target.traced;
  target.text.reserve(old_.text.size() + old_.text.size() / 8);
  target.origins.reserve(old_.origins.size());
}

TextEdit::~TextEdit() = default;

void TextEdit::check_growth(size_t more) const {
  if (target_->text.size() + more <= target_->limit) return;
  throw Error(
      Code::resource_exhausted,
      fmt::format("a part of the text grows over {} bytes when it is normalised", target_->limit));
}

void TextEdit::keep(size_t begin, size_t end) {
  check_growth(end - begin);
  target_->text.append(old_.text, begin, end - begin);
  if (!old_.traced) return;
  const auto first = old_.origins.begin();
  target_->origins.insert(target_->origins.end(), first + static_cast<ptrdiff_t>(begin),
                          first + static_cast<ptrdiff_t>(end));
}

void TextEdit::put(std::string_view bytes, size_t begin, size_t end) {
  check_growth(bytes.size());
  target_->text += bytes;
  if (!old_.traced) return;
  TextRange origin;
  if (begin < end) {
    origin = {old_.origins[begin].begin, old_.origins[end - 1].end};
  } else if (begin < old_.origins.size()) {
    origin = {old_.origins[begin].begin, old_.origins[begin].begin};
  } else if (!old_.origins.empty()) {
    origin = {old_.origins.back().end, old_.origins.back().end};
  }
  target_->origins.insert(target_->origins.end(), bytes.size(), origin);
}

void TextEdit::put(char32_t code_point, size_t begin, size_t end) {
  std::string bytes;
  append_utf8(bytes, code_point);
  put(std::string_view(bytes), begin, end);
}

}  // namespace strata::models
