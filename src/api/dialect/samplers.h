// The steps by which a token is drawn, in llama.cpp's words for them.
#pragma once

#include <string>
#include <vector>

#include "api/json_fields.h"
#include "api/request.h"

namespace strata::api {

// "samplers", a list of names or a text of a letter each: those that are left out are switched off.
// Their order is ours; another one, and names of none that is here, are `ignored`. FieldError.
void read_samplers(Fields& fields, SamplingOptions& sampling, std::vector<std::string>& ignored);
json::array sampler_names();

}  // namespace strata::api
