// The `tokenizers` library reads its patterns with Oniguruma in Ruby's syntax, we with PCRE2. The
// two agree on most of what such patterns use; this rewrites the rest and refuses what it does not
// know.
#pragma once

#include <string>
#include <string_view>

namespace strata::models {

// The pattern as PCRE2 reads it with Anchors::line.
// Errors: unimplemented for a construct whose meaning may differ.
std::string pcre_from_ruby(std::string_view pattern);

}  // namespace strata::models
