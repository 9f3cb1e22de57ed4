#include <charconv>

#include "api/dialect/dialect_common.h"
#include "api/dialect/responses/run.h"

namespace strata::api::responses {
namespace {

class ResponseRoutes {
 public:
  ResponseRoutes(const Services& services, const Dialect& dialect)
      : services_(services), runs_(services, dialect) {}

  void create(const std::shared_ptr<Exchange>& exchange) {
    const Request& request = exchange->request();
    Ask ask = parse_ask(services_, request);
    if (ask.store) history_of(services_);
    assemble(ask, services_, request);
    runs_.start(std::move(ask), exchange);
  }

  void get(const std::shared_ptr<Exchange>& exchange) {
    const Request& request = exchange->request();
    if (query_value(request.query, "stream") == "true") return follow(exchange);
    if (const auto run = runs_.find(request.owner, request.params.at("id"))) {
      return respond_json(*exchange, run->snapshot());
    }
    respond_json(*exchange, kept(request));
  }

  void remove(const std::shared_ptr<Exchange>& exchange) {
    const Request& request = exchange->request();
    const std::string& id = request.params.at("id");
    const bool known = is_id("resp_", id);
    if (!known || !history_of(services_).responses.remove(request.owner, id)) {
      throw response_not_found(id);
    }
    if (const auto run = runs_.find(request.owner, id)) run->cancel();
    respond_json(*exchange, json::object{{"id", id}, {"object", "response"}, {"deleted", true}});
  }

  void cancel(const std::shared_ptr<Exchange>& exchange) {
    const Request& request = exchange->request();
    const ResponseRow row = find(request);
    if (!row.background) {
      throw Error(Code::invalid_argument,
                  fmt::format("the response '{}' is not made in the background", row.id),
                  "close the connection that waits for it");
    }
    if (const auto run = runs_.find(request.owner, row.id)) {
      run->cancel();
      return respond_json(*exchange, run->snapshot());
    }
    respond_json(*exchange, kept(request));
  }

  void input_items(const std::shared_ptr<Exchange>& exchange) {
    const Request& request = exchange->request();
    const ResponseRow row = find(request);
    respond_json(*exchange, list_json(history_of(services_).responses.input_page(
                                request.owner, row.id, read_page_request(request, false))));
  }

 private:
  ResponseRow find(const Request& request) const {
    const std::string& id = request.params.at("id");
    std::optional<ResponseRow> row;
    if (is_id("resp_", id)) row = history_of(services_).responses.find(request.owner, id);
    if (!row) throw response_not_found(id);
    return std::move(*row);
  }

  json::object kept(const Request& request) const {
    ResponseRow row = find(request);
    row.data["status"] = row.status;
    row.data["output"] = services_.history->responses.output(request.owner, row.id);
    return std::move(row.data);
  }

  static int64_t starting_after(const Request& request) {
    const auto text = query_value(request.query, "starting_after");
    if (!text) return -1;
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (error != std::errc() || end != text->data() + text->size() || number < 0) {
      throw FieldError("starting_after", "starting_after must be a sequence number");
    }
    return number;
  }

  void follow(const std::shared_ptr<Exchange>& exchange) {
    const Request& request = exchange->request();
    const int64_t after = starting_after(request);
    const ResponseRow row = find(request);
    if (!row.streamed) {
      throw Error(Code::invalid_argument, fmt::format("the events of '{}' are not kept", row.id),
                  "only those of a response made with background: true and stream: true are");
    }
    if (const auto run = runs_.find(request.owner, row.id)) return run->follow(exchange, after);
    Response response;
    response.content_type = "text/event-stream; charset=utf-8";
    for (const auto& event : services_.history->responses.events(request.owner, row.id, after)) {
      response.body += event.text;
    }
    exchange->respond(std::move(response));
  }

  const Services& services_;
  Runs runs_;
};

}  // namespace

FindItem finder(const Services& services, const std::string& owner) {
  return [&services, owner](const std::string& id) -> std::optional<json::object> {
    if (!services.history) return std::nullopt;
    if (auto item = services.history->responses.any_item(owner, id)) return item;
    return services.history->conversations.any_item(owner, id);
  };
}

void assemble(Ask& ask, const Services& services, const Request& request) {
  auto& messages = ask.chat.conversation.messages;
  if (!ask.instructions.empty()) {
    messages.push_back({.role = "system", .content = ask.instructions});
  }
  for (models::Message& message : ask.prompt) messages.push_back(std::move(message));
  if (!ask.previous.empty()) {
    if (!is_id("resp_", ask.previous)) throw response_not_found(ask.previous);
    append_messages(history_of(services).responses.chain(request.owner, ask.previous), messages);
  }
  if (!ask.conversation.empty()) {
    auto& conversations = history_of(services).conversations;
    if (!is_id("conv_", ask.conversation) || !conversations.find(request.owner, ask.conversation)) {
      throw conversation_not_found(ask.conversation);
    }
    append_messages(conversations.items(request.owner, ask.conversation), messages);
  }
  append_messages(ask.input, messages);
  if (messages.size() == (ask.instructions.empty() ? 0u : 1u)) {
    throw FieldError("input", "input has no items, and there are none to go on from");
  }
  name_caller(ask.chat, request);
}

void add_response_routes(RouteTable& table, const Services& services, const Dialect& dialect) {
  const auto routes = std::make_shared<ResponseRoutes>(services, dialect);
  const auto add = [&](std::string method, std::string pattern, size_t limit, Lane lane,
                       void (ResponseRoutes::*handler)(const std::shared_ptr<Exchange>&)) {
    table.add({std::move(method), std::move(pattern), Scope::inference, limit,
               [routes, handler](const auto& exchange) { ((*routes).*handler)(exchange); },
               std::string(dialect.name()), lane});
  };
  // Without /v1 for those who leave it out of the base URL, as they may with llama.cpp's server.
  for (const std::string root : {"/v1/responses", "/responses"}) {
    add("POST", root, kMaxBodyBytes, Lane::prompts, &ResponseRoutes::create);
    add("GET", root + "/{id}", 0, Lane::store, &ResponseRoutes::get);
    add("DELETE", root + "/{id}", 0, Lane::store, &ResponseRoutes::remove);
    add("POST", root + "/{id}/cancel", kMaxSmallBodyBytes, Lane::store, &ResponseRoutes::cancel);
    add("GET", root + "/{id}/input_items", 0, Lane::store, &ResponseRoutes::input_items);
  }
}

}  // namespace strata::api::responses
