// A text that normalisers change, which can remember from where each of its bytes came: so that a
// control token that is matched in normalised text is still known to come from trusted bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/tokenizer.h"

namespace strata::models {

struct RegexBudget;

struct TracedText {
  std::string text;
  bool traced = false;
  std::vector<TextRange> origins;  // of each byte, in the source; empty unless traced
  size_t limit = 0;                // the text may not grow beyond, in bytes
  RegexBudget* regex = nullptr;    // of the whole text
};

// Source text whose every byte comes from itself, the first from `origin`. `regex` must outlive it.
TracedText untouched(std::string_view text, bool traced, size_t origin, RegexBudget& regex);

// Each invalid byte becomes U+FFFD.
void repair(TracedText& text);

// One pass over a text that writes a new one in its place.
class TextEdit {
 public:
  explicit TextEdit(TracedText& target);
  ~TextEdit();
  TextEdit(const TextEdit&) = delete;
  TextEdit& operator=(const TextEdit&) = delete;

  std::string_view old() const { return old_.text; }
  // Old bytes [begin, end) stay as they are.
  void keep(size_t begin, size_t end);
  // `bytes` stand for the old ones [begin, end), which may be none.
  void put(std::string_view bytes, size_t begin, size_t end);
  void put(char32_t code_point, size_t begin, size_t end);

 private:
  void check_growth(size_t more) const;

  TracedText* target_;
  TracedText old_;
};

}  // namespace strata::models
