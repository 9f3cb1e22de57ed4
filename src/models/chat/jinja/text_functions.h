// What filters, tests and methods of text share: case, trimming, splitting, replacing. All keep
// the marks.
#pragma once

#include <optional>

#include "models/chat/jinja/value.h"

namespace strata::models::jinja {

TextPtr upper_text(Meter& meter, const Text& text);
TextPtr lower_text(Meter& meter, const Text& text);
TextPtr capitalized_text(Meter& meter, const Text& text);
TextPtr titled_text(Meter& meter, const Text& text);  // str.title()
bool all_lower(std::string_view text);                // str.islower(), likewise isupper()
bool all_upper(std::string_view text);

enum class Side : uint8_t { both, left, right };
// `characters` null: whitespace.
TextPtr stripped(Meter& meter, const TextPtr& text, const Text* characters, Side side);
// count < 0: all.
TextPtr replaced(Meter& meter, const Text& text, const Text& from, const Text& to, Integer count);
// Lines without their ends, or with them.
Values split_lines(Meter& meter, const TextPtr& text, bool keep_ends);
TextPtr padded(Meter& meter, const TextPtr& text, size_t width, Side text_at,
               std::string_view fill = " ");

}  // namespace strata::models::jinja
