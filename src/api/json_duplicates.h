// A key that is twice in one object means that sender and reader may disagree about what was said:
// requests with one are refused.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace strata::api {

// The first key that an object of this JSON text has twice, escapes resolved; nullopt when there is
// none. Precondition: parse_json has accepted the text.
std::optional<std::string> duplicate_key(std::string_view valid_json);

}  // namespace strata::api
