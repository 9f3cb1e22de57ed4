// Which field a request is refused for, for tests.
#pragma once

#include <string>

#include "api/json_fields.h"

namespace strata::api::openai::testing {

template <class Parse>
std::string refused_field(const Parse& parse) {
  try {
    parse();
  } catch (const FieldError& error) {
    return error.field();
  }
  return "nothing was refused";
}

}  // namespace strata::api::openai::testing
