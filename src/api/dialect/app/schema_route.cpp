// /api/v1/schema: what the binding of answers says of a JSON schema, before an answer is asked for.
#include "api/dialect/app/app.h"
#include "api/dialect/dialect_common.h"
#include "inference/constraint/grammar.h"
#include "inference/constraint/limits.h"

namespace strata::api::app {
namespace {

void check(Exchange& exchange) {
  const json::value body = read_body(exchange.request().body);
  Fields fields(body);
  const json::value* schema = fields.get("schema");
  if (!schema || (!schema->is_object() && !schema->is_bool())) {
    fields.fail("schema", "must be a JSON schema, an object");
  }
  fields.refuse_unread();
  json::object verdict{{"valid", true}};
  try {
    inference::compile({.kind = inference::OutputRule::Kind::json_schema, .schema = *schema});
  } catch (const Error& error) {
    verdict = {{"valid", false}, {"message", error.message()}, {"hint", error.hint()}};
  }
  respond_json(exchange, verdict);
}

}  // namespace

void add_schema_route(RouteTable& table, const Dialect& dialect) {
  table.add({.method = "POST",
             .pattern = "/api/v1/schema",
             .scope = Scope::inference,
             .body_limit = inference::kMaxRuleBytes,
             .handler = [](const auto& exchange) { check(*exchange); },
             .dialect = std::string(dialect.name()),
             .lane = Lane::prompts});
}

}  // namespace strata::api::app
