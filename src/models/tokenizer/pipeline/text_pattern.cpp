#include "models/tokenizer/pipeline/text_pattern.h"

#include "core/error.h"
#include "models/tokenizer/pipeline/regex_dialect.h"

namespace strata::models {

TextPattern TextPattern::read(const JsonPlace& place) {
  if (place.value().is_string()) return of_text(place.text());
  if (const auto text = place.find("String")) return of_text(text->text());
  const JsonPlace regex = place["Regex"];
  TextPattern pattern;
  pattern.source_ = regex.text();
  try {
    pattern.regex_.emplace(pcre_from_ruby(pattern.source_), Anchors::line);
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{}: {}", regex.path(), error.message()), error.hint());
  }
  return pattern;
}

TextPattern TextPattern::of_text(std::string_view text) {
  TextPattern pattern;
  pattern.source_ = text;
  return pattern;
}

TextPattern::Search::Search(const TextPattern& pattern, RegexBudget& budget)
    : literal_(pattern.literal()) {
  if (pattern.regex_) regex_.emplace(*pattern.regex_, budget);
}

void TextPattern::Search::start(std::string_view piece) {
  piece_ = piece;
  from_ = 0;
  if (regex_) regex_->start(piece);
}

bool TextPattern::Search::next(size_t& begin, size_t& end) {
  if (regex_) return regex_->next(begin, end);
  if (literal_.empty()) return false;
  begin = piece_.find(literal_, from_);
  if (begin == std::string_view::npos) return false;
  from_ = end = begin + literal_.size();
  return true;
}

}  // namespace strata::models
