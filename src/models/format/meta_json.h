// Values of metadata as JSON and back, each with its type: {"type": "u32", "value": 3}; of an array
// the type of its elements, and a list.
#pragma once

#include <string_view>

#include "core/json.h"
#include "models/format/made_file.h"

namespace strata::models {

json::object meta_json(const MetaValue& value);
// The same value under `key`, which errors name. Error{invalid_argument}: an unknown type, or a
// value that is not of it.
void set_from_json(MadeFile& file, std::string_view key, const json::value& value);

}  // namespace strata::models
