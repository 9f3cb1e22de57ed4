#include "api/dialect/llamacpp/llamacpp.h"

#include <algorithm>
#include <array>

#include "api/dialect/dialect_common.h"
#include "api/gateway/prompt_budget.h"
#include "api/limits.h"

namespace strata::api::llamacpp {
namespace {

constexpr std::array<std::string_view, 9> kPaths{
    "/completion", "/completions", "/infill",        "/props",         "/slots",
    "/embedding",  "/embeddings",  "/lora-adapters", "/apply-template"};

std::string_view error_type(Code code) {
  switch (code) {
    case Code::unauthenticated:
      return "authentication_error";
    case Code::permission_denied:
    case Code::policy_refused:
      return "permission_error";
    case Code::not_found:
      return "not_found_error";
    case Code::unimplemented:
      return "not_supported_error";
    case Code::unavailable:
      return "unavailable_error";
    case Code::invalid_argument:
    case Code::already_exists:
    case Code::failed_precondition:
    case Code::resource_exhausted:
      return "invalid_request_error";
    default:
      return "server_error";
  }
}

class Llamacpp final : public Dialect {
 public:
  std::string_view name() const override { return "llamacpp"; }
  bool owns(std::string_view path) const override {
    return std::ranges::any_of(kPaths, [&](std::string_view each) {
      return path == each || (path.starts_with(each) && path[each.size()] == '/');
    });
  }

  Response error(const Error& error) const override { return json_response(error_json(error)); }

  void add_routes(RouteTable& table, const Services& services) const override {
    const auto add = [&](std::string pattern, Handler handler) {
      table.add({"POST", std::move(pattern), Scope::inference, kMaxBodyBytes, std::move(handler),
                 std::string(name()), Lane::prompts});
    };
    for (const char* path : {"/completion", "/completions"}) {
      add(path, [this, &services](const auto& e) { ask(e, services, parse_completion); });
    }
    add("/infill", [this, &services](const auto& e) { ask(e, services, parse_infill); });
    add("/apply-template",
        [this, &services](const auto& e) { apply_template(e, services, *this); });
    for (const char* path : {"/embedding", "/embeddings"}) {
      add(path, [this, &services](const auto& e) { embed(e, services, *this); });
    }
    add_state_routes(table, services, *this);
  }

 private:
  void ask(const std::shared_ptr<Exchange>& exchange, const Services& services,
           Parsed (*parse)(const json::value&, const Services&, const std::string&)) const {
    const json::value body = read_body(exchange->request().body);
    Parsed parsed = parse(body, services, exchange->request().owner);
    auto writer = completion_writer(parsed, services.now_ms);
    answer(exchange, services, *this, std::move(parsed.requests), parsed.stream, std::move(writer));
  }
};

const Registered<Dialect> llamacpp{std::make_unique<Llamacpp>()};

}  // namespace

json::object error_json(const Error& error) {
  if (const auto* overflow = dynamic_cast<const ContextOverflow*>(&error)) {
    return {
        {"error",
         json::object{{"code", http_status(error.code())},
                      {"message",
                       fmt::format("request ({} tokens) exceeds the available context size "
                                   "({} tokens): {}",
                                   overflow->n_prompt(), overflow->n_context(), full_text(error))},
                      {"type", "exceed_context_size_error"},
                      {"n_prompt_tokens", overflow->n_prompt()},
                      {"n_ctx", overflow->n_context()}}}};
  }
  return {{"error", json::object{{"code", http_status(error.code())},
                                 {"message", full_text(error)},
                                 {"type", error_type(error.code())}}}};
}

Response json_response(const json::value& body) {
  Response response;
  response.body = to_json(body);
  return response;
}

}  // namespace strata::api::llamacpp
