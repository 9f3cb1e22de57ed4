// Base64 (RFC 4648) as tokenizer files use it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace strata::models {

// Nothing where the text is no base64; padding may be missing.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace strata::models
