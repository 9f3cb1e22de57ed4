// Hand-written forms of the split patterns that most byte-level vocabularies use. They cut a text
// into words, within which merges happen; a regular expression would give the same cuts, slower.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace strata::models {

// Ends of consecutive pieces, as byte offsets; the first piece begins where its caller says.
using Ends = std::vector<uint32_t>;

enum class Contractions : uint8_t { none, lower_case, any_case };

// The differences between the patterns of one large family:
//   CONTRACTION | [^\r\n\p{L}\p{N}]?\p{L}+ | \p{N}{1,max_digits} | ?[^\s\p{L}\p{N}]+[\r\n]*
//   | \s*[\r\n]+ | \s+(?!\S) | \s+
struct WordRules {
  Contractions contractions = Contractions::any_case;
  bool marks_are_letters = false;  // [\p{L}\p{M}] in place of \p{L}
  uint32_t max_digits = 3;         // 0: no limit
};

// Each cuts the valid UTF-8 text[begin, end) and appends the ends of the pieces, the last one
// `end`. Nothing outside [begin, end) is looked at.
void split_words(std::string_view text, size_t begin, size_t end, const WordRules& rules,
                 Ends& out);
// '(s|t|re|ve|m|ll|d) | ?\p{L}+ | ?\p{N}+ | ?[^\s\p{L}\p{N}]+ | \s+(?!\S) | \s+
void split_gpt2(std::string_view text, size_t begin, size_t end, Ends& out);
// \p{N}, each number a piece of its own.
void split_digits(std::string_view text, size_t begin, size_t end, Ends& out);
// Runs of \p{N} in groups of three, counted from the right.
void split_digit_groups(std::string_view text, size_t begin, size_t end, Ends& out);
// Before each ASCII digit that has a multiple of three of them from itself to the end of its run.
void split_ascii_digit_groups(std::string_view text, size_t begin, size_t end, Ends& out);
// [^\n]+ | [\n]+
void split_lines(std::string_view text, size_t begin, size_t end, Ends& out);

}  // namespace strata::models
