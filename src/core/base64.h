// Base64 (RFC 4648, section 4), with padding.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace strata {

std::string base64(std::span<const std::byte> bytes);
// nullopt: anything but whole groups of four of the alphabet's characters, padded at the end only.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace strata
