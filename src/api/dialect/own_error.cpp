#include "api/dialect/own_error.h"

#include "api/json_fields.h"

namespace strata::api {

Response own_error(const Error& error) {
  json::object inner{
      {"code", name(error.code())}, {"message", error.message()}, {"hint", error.hint()}};
  if (const auto* field = dynamic_cast<const FieldError*>(&error)) inner["field"] = field->field();
  Response response;
  response.body = to_json(json::object{{"error", std::move(inner)}});
  return response;
}

}  // namespace strata::api
