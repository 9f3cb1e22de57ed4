// Commands for measuring take a model's name or a file's path.
#pragma once

#include <memory>
#include <string>

#include "models/model.h"

namespace strata::app {

// A name in the store, or a path that ends in ".gguf". Errors: those of Store::find and load_model.
std::shared_ptr<const models::Model> open_named_model(const std::string& name_or_file);

}  // namespace strata::app
