#include "core/error.h"

#include <array>

#include "core/secrets.h"

namespace strata {
namespace {

struct CodeRow {
  Code code;
  std::string_view name;
  int http_status;
  int exit_code;
};

constexpr std::array<CodeRow, 14> kCodes{{
    {Code::invalid_argument, "invalid_argument", 400, 2},
    {Code::unauthenticated, "unauthenticated", 401, 5},
    {Code::permission_denied, "permission_denied", 403, 5},
    {Code::policy_refused, "policy_refused", 403, 8},
    {Code::not_found, "not_found", 404, 3},
    {Code::already_exists, "already_exists", 409, 1},
    {Code::failed_precondition, "failed_precondition", 400, 1},
    {Code::resource_exhausted, "resource_exhausted", 429, 6},
    {Code::cancelled, "cancelled", 499, 130},
    {Code::internal, "internal", 500, 1},
    {Code::data_loss, "data_loss", 500, 7},
    {Code::unimplemented, "unimplemented", 501, 1},
    {Code::unavailable, "unavailable", 503, 4},
    {Code::deadline_exceeded, "deadline_exceeded", 504, 4},
}};

constexpr bool rows_follow_the_enum() {
  for (size_t i = 0; i < kCodes.size(); ++i) {
    if (static_cast<size_t>(kCodes[i].code) != i) return false;
  }
  return true;
}
static_assert(rows_follow_the_enum());

const CodeRow& row(Code code) {
  return kCodes.at(static_cast<size_t>(code));
}

std::string in_one(const std::string& message, const std::string& hint) {
  return mask_secrets(hint.empty() ? message : message + " (" + hint + ")");
}

}  // namespace

Error::Error(Code code, std::string message, std::string hint)
    : std::runtime_error(in_one(message, hint)),
      code_(code),
      message_(mask_secrets(message)),
      hint_(mask_secrets(hint)) {}

std::string_view name(Code code) {
  return row(code).name;
}

int http_status(Code code) {
  return row(code).http_status;
}

int exit_code(Code code) {
  return row(code).exit_code;
}

}  // namespace strata
