#include "api/dialect/ollama/ollama.h"

#include "api/access/keys.h"
#include "api/dialect/dialect_common.h"
#include "api/gateway/prompt_budget.h"
#include "core/version.h"

namespace strata::api::ollama {
namespace {

struct Unbuilt {
  const char* method;
  const char* path;
  Scope scope;
  const char* hint;
};
constexpr Unbuilt kUnbuilt[]{
    {"GET", "/api/blobs/{digest}", Scope::models,
     "create models of files on the server's machine: strata create -f Modelfile"},
    {"POST", "/api/blobs/{digest}", Scope::models,
     "create models of files on the server's machine: strata create -f Modelfile"},
};

void say_hello(const std::shared_ptr<Exchange>& exchange) {
  Response response;
  response.content_type = "text/plain; charset=utf-8";
  response.body = "Strata is running";
  exchange->respond(std::move(response));
}

void say_version(const std::shared_ptr<Exchange>& exchange) {
  exchange->respond(
      json_response(json::object{{"version", kSpokenVersion}, {"strata", version()}}));
}

class Ollama final : public Dialect {
 public:
  std::string_view name() const override { return "ollama"; }
  bool owns(std::string_view path) const override { return path.starts_with("/api/"); }

  Response error(const Error& error) const override { return json_response(error_json(error)); }

  void add_routes(RouteTable& table, const Services& services) const override {
    const auto add = [&](std::string method, std::string pattern, Scope scope, size_t limit,
                         Lane lane, Handler handler) {
      table.add({std::move(method), std::move(pattern), scope, limit, std::move(handler),
                 std::string(name()), lane});
    };
    add("GET", "/", Scope::open, 0, Lane::direct, say_hello);
    add("GET", "/api/version", Scope::open, 0, Lane::direct, say_version);
    add("GET", "/api/tags", Scope::inference, 0, Lane::store,
        [&services](const auto& e) { e->respond(json_response(tags_json(services))); });
    add("GET", "/api/ps", Scope::inference, 0, Lane::store,
        [&services](const auto& e) { e->respond(json_response(running_json(services))); });
    add("POST", "/api/show", Scope::inference, kMaxSmallBodyBytes, Lane::store,
        [&services, vocabularies = std::make_shared<Vocabularies>()](const auto& e) {
          show(e, services, *vocabularies);
        });
    add("POST", "/api/chat", Scope::inference, kMaxBodyBytes, Lane::prompts,
        [this, &services](const auto& e) { ask(e, services, parse_chat(e->request().body)); });
    add("POST", "/api/generate", Scope::inference, kMaxBodyBytes, Lane::prompts,
        [this, &services](const auto& e) { ask(e, services, parse_generate(e->request().body)); });
    add("POST", "/api/embed", Scope::inference, kMaxBodyBytes, Lane::prompts,
        [this, &services](const auto& e) { embed(e, services, *this); });
    add("POST", "/api/embeddings", Scope::inference, kMaxBodyBytes, Lane::prompts,
        [this, &services](const auto& e) { embed_older(e, services, *this); });
    add_change_routes(table, services, *this);
    for (const Unbuilt& each : kUnbuilt) {
      add(each.method, each.path, each.scope, kMaxBodyBytes, Lane::direct, [each](const auto& e) {
        throw Error(Code::unimplemented, fmt::format("{} is not built", e->request().path),
                    each.hint);
      });
    }
  }

 private:
  static void show(const std::shared_ptr<Exchange>& exchange, const Services& services,
                   Vocabularies& vocabularies) {
    const json::value body = read_body(exchange->request().body);
    Fields fields(body);
    const std::string model = read_model(fields);
    const bool verbose = fields.boolean("verbose").value_or(false);
    for (const char* key : {"system", "template", "options"}) {
      refuse_if_given(fields, key, "make a model that has it: /api/create");
    }
    fields.refuse_unread();
    exchange->respond(json_response(show_json(services, vocabularies, model, verbose)));
  }

  void ask(const std::shared_ptr<Exchange>& exchange, const Services& services, Asked asked) const {
    auto writer = line_writer(asked, services.now_ms);
    if (!asked.unload) {
      return answer(exchange, services, *this, {std::move(asked.request)}, asked.stream,
                    std::move(writer));
    }
    const std::string& model = asked.request.model;
    if (!services.gateway->serves(model)) throw model_not_found(model, services.gateway->models());
    const std::string& owner = exchange->request().owner;
    if (services.keys && !owner.empty()) {
      services.keys->check_model(owner, services.gateway->whole_name(model));
    }
    tell_ignored(*exchange, asked.request.ignored);
    services.gateway->unload(model);  // one that is not loaded is as unloaded as can be
    exchange->respond(unloaded(asked, services.now_ms));
  }
};

const Registered<Dialect> ollama{std::make_unique<Ollama>()};

}  // namespace

json::object error_json(const Error& error) {
  const bool too_long = dynamic_cast<const ContextOverflow*>(&error) != nullptr;
  return {
      {"error", full_text(error) + (too_long ? "; or ask for one: options.num_ctx, or PARAMETER "
                                               "num_ctx of a Modelfile"
                                             : "")}};
}

Response json_response(const json::value& body) {
  Response response;
  response.body = to_json(body);
  return response;
}

void append_line(std::string& out, const json::value& value) {
  out += to_json(value);
  out += '\n';
}

std::string read_model(Fields& fields) {
  const bool has_name = !fields.text("name").value_or("").empty();
  const bool has_model = !fields.text("model").value_or("").empty();
  if (!has_name) return read_model_name(fields, "model");
  std::string name = read_model_name(fields, "name");
  if (has_model && read_model_name(fields, "model") != name) {
    fields.fail("name", "and model differ", "send model only");
  }
  return name;
}

void refuse_if_given(Fields& fields, std::string_view key, const std::string& hint) {
  if (!fields.has(key)) return;  // unread: a hint would name it
  const json::value* value = fields.get(key);
  const bool empty = (value->is_object() && value->get_object().empty()) ||
                     (value->is_array() && value->get_array().empty()) ||
                     (value->is_string() && value->get_string().empty()) || *value == 0 ||
                     *value == false;
  if (!empty) fields.fail(key, "is not supported yet", hint);
}

}  // namespace strata::api::ollama
