#include "models/tokenizer/code_point_class.h"

#include <array>
#include <vector>

#include <utf8proc.h>

namespace strata::models {
namespace {

bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

uint8_t classify(char32_t c) {
  if (is_white_space(c)) return kSpace;
  // Unicode 15.1, where the library has 15.0: CJK extension I, ideographic description characters.
  if (c >= 0x2EBF0 && c <= 0x2EE5D) return kLetter;
  if ((c >= 0x2FFC && c <= 0x2FFF) || c == 0x31EF) return kSymbol;
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) return kLetter;
  if (category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME) return kMark;
  if (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO) return kNumber;
  if (category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO) return kPunctuation;
  if (category >= UTF8PROC_CATEGORY_SM && category <= UTF8PROC_CATEGORY_SO) return kSymbol;
  return kOther;
}

constexpr char32_t kTabulated = 0x3400;  // up to the large scripts, which are letters throughout

const std::array<uint8_t, kTabulated>& table() {
  static const auto classes = [] {
    std::array<uint8_t, kTabulated> made{};
    for (char32_t c = 0; c < kTabulated; ++c) made[c] = classify(c);
    return made;
  }();
  return classes;
}

}  // namespace

uint8_t code_point_class(char32_t c) {
  static const auto& classes = table();
  return c < kTabulated ? classes[c] : classify(c);
}

}  // namespace strata::models
