// Strata's own routes for the prompt registry, under /api/v1/prompts.
#include <array>

#include "api/dialect/dialect.h"
#include "api/dialect/dialect_common.h"
#include "api/dialect/own_error.h"
#include "api/prompt/prompt_json.h"

namespace strata::api {
namespace {

using ExchangePtr = std::shared_ptr<Exchange>;

constexpr size_t kMaxBodyBytesOfPrompt = 2 * kMaxPromptBytes;

PromptRegistry& registry_of(const Services& services) {
  if (services.prompts != nullptr) return *services.prompts;
  throw Error(Code::unimplemented, "this server keeps no prompts",
              "serve from a store: strata serve without --scripted");
}

std::string param(const Exchange& exchange, const std::string& name) {
  return exchange.request().params.at(name);
}

std::string query(const Exchange& exchange, std::string_view name) {
  return query_value(exchange.request().query, name).value_or("");
}

void respond(Exchange& exchange, const json::value& body, int status = 200) {
  Response response;
  response.status = status;
  response.body = to_json(body);
  exchange.respond(std::move(response));
}

void respond_list(Exchange& exchange, json::array data) {
  respond(exchange, json::object{{"object", "list"}, {"data", std::move(data)}});
}

void list(const Services& services, Exchange& exchange) {
  json::array data;
  for (const PromptInfo& prompt : registry_of(services).list()) data.push_back(as_json(prompt));
  respond_list(exchange, std::move(data));
}

void info(const Services& services, Exchange& exchange) {
  respond(exchange, as_json(registry_of(services).info(param(exchange, "name"))));
}

void remove(const Services& services, Exchange& exchange) {
  const std::string name = param(exchange, "name");
  registry_of(services).remove(name);
  respond(exchange, json::object{{"object", "prompt.deleted"}, {"name", name}, {"deleted", true}});
}

void versions(const Services& services, Exchange& exchange) {
  json::array data;
  for (const auto& version : registry_of(services).versions(param(exchange, "name"))) {
    data.push_back(as_json(version, false));
  }
  respond_list(exchange, std::move(data));
}

// Beside the content the body may have a note, which says why this version is made.
void put(const Services& services, Exchange& exchange) {
  json::value body = read_body(exchange.request().body);
  PromptNotes notes{.note = {}, .author = exchange.request().owner};
  if (json::object* fields = body.if_object()) {
    notes.note = Fields(body).text("note").value_or("");
    fields->erase("note");
  }
  const PromptContent content = parse_prompt(body);
  const auto version =
      registry_of(services).put(param(exchange, "name"), content, notes, services.now_ms() / 1000);
  respond(exchange, as_json(version), 201);
}

void version(const Services& services, Exchange& exchange) {
  respond(exchange,
          as_json(registry_of(services).get(param(exchange, "name"), param(exchange, "version"),
                                            query(exchange, "caller"))));
}

void set_label(const Services& services, Exchange& exchange) {
  const json::value body = read_body(exchange.request().body);
  Fields fields(body);
  const auto number = fields.integer("version", 1, kMaxPromptVersions);
  if (!number) fields.fail("version", "is missing");
  const auto trial = fields.integer("trial", 1, kMaxPromptVersions);
  const auto percent = fields.integer("trial_percent", 0, 100);
  fields.refuse_unread();
  respond(exchange, as_json(registry_of(services).set_label(
                        param(exchange, "name"), param(exchange, "label"), *number, trial,
                        static_cast<int32_t>(percent.value_or(0)), services.now_ms() / 1000)));
}

void remove_label(const Services& services, Exchange& exchange) {
  const std::string label = param(exchange, "label");
  registry_of(services).remove_label(param(exchange, "name"), label);
  respond(exchange,
          json::object{{"object", "prompt.label.deleted"}, {"label", label}, {"deleted", true}});
}

void diff(const Services& services, Exchange& exchange) {
  const PromptRegistry& registry = registry_of(services);
  const std::string name = param(exchange, "name");
  const PromptVersion from = registry.get(name, query(exchange, "from"));
  const PromptVersion to = registry.get(name, query(exchange, "to"));
  respond(exchange, json::object{{"object", "prompt.diff"},
                                 {"from", from.number},
                                 {"to", to.number},
                                 {"diff", line_diff(as_text(from.content), as_text(to.content))}});
}

void render_prompt(const Services& services, Exchange& exchange) {
  const json::value body = read_body(exchange.request().body);
  Fields fields(body);
  const std::string selector = fields.text("version").value_or("");
  const std::string caller = fields.text("caller").value_or("");
  json::object variables;
  if (fields.object("variables")) variables = fields.get("variables")->get_object();
  fields.refuse_unread();
  const auto found = registry_of(services).get(param(exchange, "name"), selector, caller);
  respond(exchange, json::object{{"object", "prompt.rendered"},
                                 {"name", found.name},
                                 {"version", found.number},
                                 {"hash", found.hash},
                                 {"messages", as_json(render(found.content, variables))},
                                 {"settings", found.content.settings}});
}

struct PromptRoute {
  const char* method;
  const char* pattern;
  Scope scope;
  void (*handle)(const Services&, Exchange&);
};

constexpr std::array<PromptRoute, 10> kRoutes{{
    {"GET", "/api/v1/prompts", Scope::inference, list},
    {"GET", "/api/v1/prompts/{name}", Scope::inference, info},
    {"DELETE", "/api/v1/prompts/{name}", Scope::models, remove},
    {"GET", "/api/v1/prompts/{name}/versions", Scope::inference, versions},
    {"POST", "/api/v1/prompts/{name}/versions", Scope::models, put},
    {"GET", "/api/v1/prompts/{name}/versions/{version}", Scope::inference, version},
    {"PUT", "/api/v1/prompts/{name}/labels/{label}", Scope::models, set_label},
    {"DELETE", "/api/v1/prompts/{name}/labels/{label}", Scope::models, remove_label},
    {"GET", "/api/v1/prompts/{name}/diff", Scope::inference, diff},
    {"POST", "/api/v1/prompts/{name}/render", Scope::inference, render_prompt},
}};

class Prompts final : public Dialect {
 public:
  std::string_view name() const override { return "prompts"; }
  bool owns(std::string_view path) const override { return path.starts_with("/api/v1/"); }

  Response error(const Error& error) const override { return own_error(error); }

  void add_routes(RouteTable& table, const Services& services) const override {
    for (const PromptRoute& route : kRoutes) {
      table.add({route.method, route.pattern, route.scope, kMaxBodyBytesOfPrompt,
                 [&services, handle = route.handle](const ExchangePtr& exchange) {
                   handle(services, *exchange);
                 },
                 std::string(name()), Lane::store});
    }
  }
};

const Registered<Dialect> prompts{std::make_unique<Prompts>()};

}  // namespace
}  // namespace strata::api
