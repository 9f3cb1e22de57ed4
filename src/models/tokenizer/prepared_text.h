// A text made ready for merging: cut at special tokens, and changed as the vocabulary asks.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/special_matcher.h"
#include "models/tokenizer/splitters.h"

namespace strata::models {

inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581, a space that is seen

struct TextChanges {
  bool repair_utf8 = false;       // each invalid byte becomes U+FFFD
  bool compose = false;           // characters and their marks become one (NFC); with repair_utf8
  bool space_is_mark = false;     // each space becomes U+2581
  bool add_space_prefix = false;  // a space before text at the beginning or behind a special token
};

struct PreparedText {
  PreparedText() = default;
  PreparedText(const PreparedText&) = delete;  // `text` may look into `owned`
  PreparedText& operator=(const PreparedText&) = delete;

  std::string owned;
  std::string_view text;            // what the fragments' offsets count in
  std::vector<Fragment> fragments;  // in order; covering what is to be encoded
};

// Errors: invalid_argument (ranges out of order or of the text), resource_exhausted (text too
// long).
void check_source(const MarkedText& source);

// `source` must outlive `out`. Errors: invalid_argument (ranges out of order or of the text),
// resource_exhausted (text too long).
void prepare_text(const MarkedText& source, const SpecialMatcher& matcher,
                  const TextChanges& changes, PreparedText& out);

// Places where no token crosses from text into a space mark, so that words can be cut there
// without changing what merges would give.
class MarkBoundaries {
 public:
  explicit MarkBoundaries(const Vocabulary& vocabulary);
  // Cuts each piece of text (the first begins at `begin`) in front of such space marks.
  Ends cut(std::string_view text, size_t begin, const Ends& pieces) const;

 private:
  std::array<bool, 256> crossed_{};  // by the byte in front of the mark
};

}  // namespace strata::models
