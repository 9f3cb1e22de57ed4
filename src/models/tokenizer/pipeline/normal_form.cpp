#include "models/tokenizer/pipeline/normal_form.h"

#include <algorithm>
#include <array>

#include <utf8proc.h>

#include "core/check.h"
#include "core/utf8.h"

namespace strata::models {
namespace {

using CodePoints = std::vector<utf8proc_int32_t>;

bool composes(NormalForm form) {
  return form == NormalForm::nfc || form == NormalForm::nfkc;
}

// Below, every character is already in this form and begins a segment.
char32_t first_changed(NormalForm form) {
  switch (form) {
    case NormalForm::nfc:
      return 0x300;
    case NormalForm::nfd:
      return 0xC0;
    default:
      return 0xA0;
  }
}

utf8proc_option_t options(NormalForm form) {
  const bool compatible = form == NormalForm::nfkc || form == NormalForm::nfkd;
  const int flags = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0);
  return static_cast<utf8proc_option_t>(flags);
}

// Whether a character (the first of a decomposition) is never changed by what stands before it.
bool begins_segment(utf8proc_int32_t c) {
  const utf8proc_property_t* property = utf8proc_get_property(c);
  const bool hangul_tail = c >= 0x1160 && c <= 0x11FF;
  const bool mark =
      property->category >= UTF8PROC_CATEGORY_MN && property->category <= UTF8PROC_CATEGORY_ME;
  return property->combining_class == 0 && !mark && !hangul_tail;
}

// Marks in their canonical order: by class, where equal as they came.
void order_marks(CodePoints& points) {
  const auto class_of = [](utf8proc_int32_t c) {
    return utf8proc_get_property(c)->combining_class;
  };
  for (auto at = points.begin(); at != points.end();) {
    if (class_of(*at) == 0) {
      ++at;
      continue;
    }
    const auto end = std::find_if(at, points.end(), [&](auto c) { return class_of(c) == 0; });
    std::stable_sort(at, end, [&](auto a, auto b) { return class_of(a) < class_of(b); });
    at = end;
  }
}

// The characters from one that begins a segment up to the next such one, decomposed.
struct Segment {
  size_t begin = 0;
  CodePoints points;
};

void flush(NormalForm form, Segment& segment, size_t end, TextEdit& edit) {
  if (segment.points.empty()) return;
  order_marks(segment.points);
  auto count = static_cast<utf8proc_ssize_t>(segment.points.size());
  if (composes(form) && count > 1) {
    count = utf8proc_normalize_utf32(
        segment.points.data(), count,
        static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    CHECK(count >= 0);
  }
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    edit.put(static_cast<char32_t>(segment.points[static_cast<size_t>(i)]), segment.begin, end);
  }
  segment.points.clear();
}

// Most texts need nothing.
bool may_change(NormalForm form, std::string_view text) {
  const char32_t changed = first_changed(form);
  for (size_t at = 0; at < text.size();) {
    if (static_cast<uint8_t>(text[at]) < 0x80) {
      ++at;
    } else if (next_code_point(text, at) >= changed) {
      return true;
    }
  }
  return false;
}

}  // namespace

void normalize(NormalForm form, TracedText& text) {
  if (!may_change(form, text.text)) return;
  TextEdit edit(text);
  const std::string_view old = edit.old();
  Segment segment;
  std::array<utf8proc_int32_t, 32> parts;  // the longest decomposition has 18 characters
  for (size_t at = 0; at < old.size();) {
    const size_t begin = at;
    const char32_t c = next_code_point(old, at);
    int last_class = 0;
    const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(),
                                               parts.size(), options(form), &last_class);
    CHECK(count >= 0 && count <= static_cast<utf8proc_ssize_t>(parts.size()));
    if (segment.points.empty() || count == 0 || begins_segment(parts[0])) {
      flush(form, segment, begin, edit);
      segment.begin = begin;
    }
    segment.points.insert(segment.points.end(), parts.begin(), parts.begin() + count);
  }
  flush(form, segment, old.size(), edit);
}

std::string composed(std::string_view text) {
  TracedText traced;
  traced.text = text;
  traced.limit = 3 * text.size();
  normalize(NormalForm::nfc, traced);
  return std::move(traced.text);
}

}  // namespace strata::models
