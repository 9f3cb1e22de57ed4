#include "api/dialect/responses/responses.h"

#include "api/dialect/openai/openai.h"

namespace strata::api::responses {
namespace {

class Responses final : public Dialect {
 public:
  std::string_view name() const override { return "responses"; }
  // Unknown paths below /v1 are OpenAI's dialect's, whose errors have the same shape.
  bool owns(std::string_view) const override { return false; }

  Response error(const Error& error) const override {
    Response response;
    response.body = to_json(openai::error_json(error));
    return response;
  }

  void add_routes(RouteTable& table, const Services& services) const override {
    add_response_routes(table, services, *this);
    add_side_routes(table, services, *this);
    add_conversation_routes(table, services, *this);
    add_chat_routes(table, services, *this);
  }
};

const Registered<Dialect> responses{std::make_unique<Responses>()};

}  // namespace
}  // namespace strata::api::responses
