// Runs something that must throw strata::Error and hands the error back.
#pragma once

#include <optional>

#include <gtest/gtest.h>

#include "core/error.h"

namespace strata::testing {

template <typename Action>
Error error_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {Code::internal, "nothing was thrown"};
}

}  // namespace strata::testing
