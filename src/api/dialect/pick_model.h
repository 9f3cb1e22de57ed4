// Which model a request means that names none: servers of one model ask for no name.
#pragma once

#include <string>

#include "api/dialect/dialect.h"
#include "api/json_fields.h"

namespace strata::api {

// What is asked of it. Every model that writes text makes vectors too: it is meant where none is
// here that makes nothing else; and where none is here that chats (it has a chat template), its
// answer says so.
enum class Purpose { anything, chat, text, vectors, scores };

// The field "model"; without it, of the models that the caller's key may ask and that do what is
// asked, the one that is in memory, or the only one that is here, or else the server's own.
// FieldError at "model" where that leaves several.
std::string read_model_or_pick(Fields& fields, const Services& services, const std::string& caller,
                               Purpose purpose = Purpose::text);
// A name that a request gave; where it gave none, or what clients of servers with one model write
// there and no model here is called ("tgi", "dummy"), as above.
std::string settle_model(std::string named, const Services& services, const std::string& caller,
                         Purpose purpose = Purpose::text);
// The same of a query ("?model=…"), of whatever does anything.
std::string model_of_query(const Request& request, const Services& services);

}  // namespace strata::api
