// The one exception type of the program, and the one table that maps its codes to the outside.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include <fmt/core.h>

namespace strata {

enum class Code {
  invalid_argument,
  unauthenticated,
  permission_denied,
  policy_refused,
  not_found,
  already_exists,
  failed_precondition,
  resource_exhausted,
  cancelled,
  internal,
  data_loss,
  unimplemented,
  unavailable,
  deadline_exceeded,
};

// Thrown where a problem is found, caught at a boundary (command, request, job).
// message: what happened, with the numbers. hint: what to do next; may be empty.
class Error : public std::runtime_error {
 public:
  Error(Code code, std::string message, std::string hint = {});

  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  const std::string& hint() const { return hint_; }

 private:
  Code code_;
  std::string message_;
  std::string hint_;
};

std::string_view name(Code code);  // "invalid_argument"
int http_status(Code code);
int exit_code(Code code);

}  // namespace strata
