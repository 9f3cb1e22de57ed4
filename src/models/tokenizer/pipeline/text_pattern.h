// {"String": …} or {"Regex": …}: what to look for in a text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "models/tokenizer/pipeline/json_place.h"
#include "models/tokenizer/split_regex.h"

namespace strata::models {

class TextPattern {
 public:
  // Errors: invalid_argument, unimplemented, with the place in the file.
  static TextPattern read(const JsonPlace& place);
  static TextPattern of_text(std::string_view text);

  // The pattern's own words; empty for a literal text.
  std::string_view regex_source() const { return regex_ ? source_ : std::string_view(); }
  std::string_view literal() const { return regex_ ? std::string_view() : source_; }

  // As SplitRegex::Search.
  class Search {
   public:
    Search(const TextPattern& pattern, RegexBudget& budget);
    void start(std::string_view piece);
    bool next(size_t& begin, size_t& end);

   private:
    std::string_view literal_;
    std::optional<SplitRegex::Search> regex_;
    std::string_view piece_;
    size_t from_ = 0;
  };

 private:
  std::string source_;
  std::optional<SplitRegex> regex_;
};

}  // namespace strata::models
