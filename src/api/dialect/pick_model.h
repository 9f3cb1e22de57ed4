// Which model a request means that names none: servers of one model ask for no name.
#pragma once

#include <string>

#include "api/dialect/dialect.h"
#include "api/json_fields.h"

namespace strata::api {

// The field "model"; without it the one that is in memory, or the only one that is here.
// FieldError at "model" where that leaves several.
std::string read_model_or_pick(Fields& fields, const Services& services);
// The same of a query ("?model=…").
std::string model_of_query(const std::string& query, const Services& services);

}  // namespace strata::api
