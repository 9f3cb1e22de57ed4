#include "models/tokenizer/pipeline/characters.h"

#include <utf8proc.h>

#include "core/utf8.h"

namespace strata::models {
namespace {

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

// Letters in circles and squares are alphabetic, though their category is "Symbol".
bool is_enclosed_letter(char32_t c) {
  return (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
         (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
}

}  // namespace

bool is_punctuation(char32_t c) {
  if (c < 0x80) {
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
  }
  if (c == 0x166D || c == 0x111C9) return true;  // that they were
  return code_point_class(c) == kPunctuation && !is_newer_punctuation(c);
}

bool is_word_character(char32_t c) {
  const uint8_t kind = code_point_class(c);
  if (kind == kLetter || kind == kMark) return true;
  if (kind == kNumber) return category(c) != UTF8PROC_CATEGORY_NO;
  if (kind == kPunctuation) return category(c) == UTF8PROC_CATEGORY_PC;
  return c == 0x200C || c == 0x200D || is_enclosed_letter(c);
}

bool is_nonspacing_mark(char32_t c) {
  if (c < 0x300) return false;
  return (category(c) == UTF8PROC_CATEGORY_MN && !is_newer_nonspacing_mark(c)) || c == 0x1734;
}

bool is_mark(char32_t c) {
  if (c < 0x300) return false;
  return (code_point_class(c) == kMark && !is_newer_mark(c)) || c == 0x1CF2 || c == 0x1CF3;
}

bool is_other(char32_t c) {
  if (code_point_class(c) != kOther) return false;
  return category(c) != UTF8PROC_CATEGORY_CN && !is_newer_format(c);
}

void append_lower(std::string& out, char32_t c) {
  if (c == 0x130) {  // the one whose lower-case form is two characters (SpecialCasing.txt)
    out += "i\u0307";
    return;
  }
  append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
}

}  // namespace strata::models
