// How this room says that a file's metadata can't be right.
#pragma once

#include <string>

#include "core/error.h"

namespace strata::models {

[[noreturn]] inline void refuse(const std::string& why) {
  throw Error(Code::invalid_argument, why,
              "the file's metadata is damaged or was written wrongly: fetch the model again");
}

}  // namespace strata::models
