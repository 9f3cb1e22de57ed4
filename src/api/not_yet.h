// The one refusal that waiting mends. Clients ask again after a 409, so no other one of what is
// missing has that status.
#pragma once

#include <string>
#include <utility>

#include "core/error.h"

namespace strata::api {

// Error{failed_precondition}: something under way is in the way, and ends by itself. Clients are
// not told to leave it at that.
class NotYet : public Error {
 public:
  explicit NotYet(std::string message, std::string hint = {})
      : Error(Code::failed_precondition, std::move(message), std::move(hint)) {}
};

constexpr int kNotYetStatus = 409;

}  // namespace strata::api
