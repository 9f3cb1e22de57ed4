// Pre-tokenizers: how a byte-level vocabulary cuts text into words before it merges. Which one a
// model wants is a name in its file (tokenizer.ggml.pre); the table is in pre_tokenizer_table.cpp.
#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/split_regex.h"
#include "models/tokenizer/splitters.h"

namespace strata::models {

enum class SplitKind : uint8_t {
  regex,
  words,
  gpt2,
  digits,
  digit_groups,
  ascii_digit_groups,
  lines
};

// One step cuts each piece that the step before it left.
struct SplitStep {
  SplitKind kind = SplitKind::regex;
  const char* pattern = nullptr;  // of a regex
  WordRules rules;                // of words
};

// The pattern of a regex, or the one, as models publish it, of which split_words (splitters.h) is
// the hand-written form. Empty: another kind.
std::string pattern_of(const SplitStep& step);

struct PreTokenizerSpec {
  std::initializer_list<std::string_view> names;
  std::initializer_list<SplitStep> steps;
  bool byte_level = true;      // tokens are spelled in the byte alphabet, not in UTF-8
  bool whole_words = false;    // a word that is a token is not merged up from its parts
  bool add_bos = false;        // unless the file says otherwise
  bool space_is_mark = false;  // spaces become U+2581 first
  bool newline_words = false;  // a run of newlines that is a token is not merged up
};

std::span<const PreTokenizerSpec> pre_tokenizer_table();
// Error{unimplemented} that lists the known names.
const PreTokenizerSpec& find_pre_tokenizer(std::string_view name);

class PreTokenizer {
 public:
  explicit PreTokenizer(const PreTokenizerSpec& spec);

  const PreTokenizerSpec& spec() const { return *spec_; }
  // Ends of the words of the valid UTF-8 text[begin, end). Thread-safe.
  Ends split(std::string_view text, size_t begin, size_t end) const;

 private:
  const PreTokenizerSpec* spec_;
  std::vector<std::unique_ptr<SplitRegex>> regexes_;  // one a step, null for hand-written ones
};

}  // namespace strata::models
