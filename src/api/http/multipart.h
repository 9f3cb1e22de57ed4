// A body of multipart/form-data (RFC 7578), taken apart.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strata::api {

constexpr size_t kMaxFormParts = 64;
constexpr size_t kMaxPartHeaderBytes = 4096;

struct FormPart {
  std::string name;
  std::optional<std::string> filename;  // its last component; nullopt: a plain field
  std::string_view content;             // of the body that was read
};

// Error{invalid_argument}: another content type, no boundary, broken framing, too many parts. The
// body must outlive the parts.
std::vector<FormPart> read_form(std::string_view content_type, std::string_view body);

}  // namespace strata::api
