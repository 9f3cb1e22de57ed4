#include "api/dialect/dialect_common.h"
#include "api/dialect/openai/openai.h"
#include "api/dialect/responses/responses.h"

namespace strata::api::responses {
namespace {

json::object conversation_json(const ConversationRow& row) {
  return {{"id", row.id},
          {"object", "conversation"},
          {"created_at", row.created},
          {"metadata", row.metadata}};
}

ConversationRow find(const Services& services, const Request& request) {
  const std::string& id = request.params.at("id");
  std::optional<ConversationRow> row;
  if (is_id("conv_", id)) row = history_of(services).conversations.find(request.owner, id);
  if (!row) throw conversation_not_found(id);
  return std::move(*row);
}

Error item_not_found(std::string_view id) {
  return {Code::not_found,
          fmt::format("the conversation has no item {}", json_quote(id.substr(0, 80), true))};
}

void create(Exchange& exchange, const Services& services) {
  const Request& request = exchange.request();
  auto& store = history_of(services).conversations;
  json::object metadata;
  json::array items;
  if (!request.body.empty()) {
    const json::value document = read_body(request.body);
    Fields fields(document);
    metadata = openai::read_metadata(fields);
    items = read_items(fields, "items", kMaxNewItems, finder(services, request.owner));
    fields.refuse_unread();
  }
  respond_json(exchange, conversation_json(store.create(request.owner, std::move(metadata), items,
                                                        services.now_ms() / 1000)));
}

void update(Exchange& exchange, const Services& services) {
  const Request& request = exchange.request();
  ConversationRow row = find(services, request);
  const json::value document = read_body(request.body);
  Fields fields(document);
  row.metadata = openai::read_metadata(fields);
  fields.refuse_unread();
  services.history->conversations.set_metadata(request.owner, row.id, row.metadata);
  respond_json(exchange, conversation_json(row));
}

void remove(Exchange& exchange, const Services& services) {
  const Request& request = exchange.request();
  const ConversationRow row = find(services, request);
  services.history->conversations.remove(request.owner, row.id);
  respond_json(exchange,
               json::object{{"id", row.id}, {"object", "conversation.deleted"}, {"deleted", true}});
}

void add_items(Exchange& exchange, const Services& services) {
  const Request& request = exchange.request();
  const ConversationRow row = find(services, request);
  const json::value document = read_body(request.body);
  Fields fields(document);
  json::array items = read_items(fields, "items", kMaxNewItems, finder(services, request.owner));
  if (items.empty()) fields.fail("items", "must have at least one item");
  fields.refuse_unread();
  if (!services.history->conversations.append(request.owner, row.id, items)) {
    throw conversation_not_found(row.id);
  }
  respond_json(exchange, list_json({std::move(items), false}));
}

void list_items(Exchange& exchange, const Services& services) {
  const Request& request = exchange.request();
  const ConversationRow row = find(services, request);
  respond_json(exchange, list_json(services.history->conversations.item_page(
                             request.owner, row.id, read_page_request(request, false))));
}

void get_item(Exchange& exchange, const Services& services) {
  const Request& request = exchange.request();
  const ConversationRow row = find(services, request);
  const std::string& item_id = request.params.at("item");
  const auto item = services.history->conversations.item(request.owner, row.id, item_id);
  if (!item) throw item_not_found(item_id);
  respond_json(exchange, *item);
}

// Answers with the conversation, as OpenAI has it.
void remove_item(Exchange& exchange, const Services& services) {
  const Request& request = exchange.request();
  const ConversationRow row = find(services, request);
  const std::string& item_id = request.params.at("item");
  if (!services.history->conversations.remove_item(request.owner, row.id, item_id)) {
    throw item_not_found(item_id);
  }
  respond_json(exchange, conversation_json(row));
}

}  // namespace

Error conversation_not_found(std::string_view id) {
  return {Code::not_found,
          fmt::format("there is no conversation {}", json_quote(id.substr(0, 80), true)),
          "make one with POST /v1/conversations"};
}

void add_conversation_routes(RouteTable& table, const Services& services, const Dialect& dialect) {
  const auto add = [&](std::string method, std::string pattern, size_t limit,
                       void (*handler)(Exchange&, const Services&)) {
    table.add({std::move(method), std::move(pattern), Scope::inference, limit,
               [&services, handler](const auto& exchange) { handler(*exchange, services); },
               std::string(dialect.name()), Lane::store});
  };
  const std::string one = "/v1/conversations/{id}";
  add("POST", "/v1/conversations", kMaxBodyBytes, create);
  add("GET", one, 0, [](Exchange& exchange, const Services& services_of) {
    respond_json(exchange, conversation_json(find(services_of, exchange.request())));
  });
  add("POST", one, kMaxSmallBodyBytes, update);
  add("DELETE", one, 0, remove);
  add("POST", one + "/items", kMaxBodyBytes, add_items);
  add("GET", one + "/items", 0, list_items);
  add("GET", one + "/items/{item}", 0, get_item);
  add("DELETE", one + "/items/{item}", 0, remove_item);
}

}  // namespace strata::api::responses
