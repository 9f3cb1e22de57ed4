#include "api/dialect/dialect_common.h"
#include "api/dialect/openai/openai.h"
#include "api/dialect/responses/responses.h"
#include "api/dialect/responses/stored_chats.h"

namespace strata::api::responses {
namespace {

constexpr std::string_view kCompletions = "/v1/chat/completions";

Error chat_not_found(std::string_view id) {
  return {Code::not_found,
          fmt::format("there is no stored chat completion {}", json_quote(id.substr(0, 80), true)),
          "only those made with store: true are kept"};
}

// "a+b%5B" → "a b[".
std::optional<std::string> decoded_name(std::string_view name) {
  std::string spaced(name);
  std::ranges::replace(spaced, '+', ' ');
  return decode_path(spaced);
}

// metadata[key]=value, as often as there are pairs to match.
ChatFilter read_filter(const Request& request) {
  ChatFilter filter;
  std::string_view query = request.query;
  while (!query.empty()) {
    const std::string_view field = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), field.size() + 1));
    const std::string_view raw = field.substr(0, field.find('='));
    const auto name = decoded_name(raw);
    const auto value = query_value(field, raw);
    if (!name || !value) continue;
    if (*name == "model") filter.model = *value;
    if (!name->starts_with("metadata[") || !name->ends_with(']')) continue;
    filter.metadata[name->substr(9, name->size() - 10)] = *value;
    if (filter.metadata.size() > openai::kMaxMetadataPairs) {
      throw FieldError("metadata",
                       fmt::format("metadata has more than {} pairs", openai::kMaxMetadataPairs));
    }
  }
  return filter;
}

void list(Exchange& exchange, const Services& services) {
  const Request& request = exchange.request();
  respond_json(exchange,
               list_json(history_of(services).chats.page(request.owner, read_filter(request),
                                                         read_page_request(request, true))));
}

void get(Exchange& exchange, const Services& services) {
  const Request& request = exchange.request();
  const std::string& id = request.params.at("id");
  const auto chat = history_of(services).chats.find(request.owner, id);
  if (!chat) throw chat_not_found(id);
  respond_json(exchange, *chat);
}

void update(Exchange& exchange, const Services& services) {
  const Request& request = exchange.request();
  const std::string& id = request.params.at("id");
  const json::value document = read_body(request.body);
  Fields fields(document);
  const json::object metadata = openai::read_metadata(fields);
  fields.refuse_unread();
  const auto chat = history_of(services).chats.set_metadata(request.owner, id, metadata);
  if (!chat) throw chat_not_found(id);
  respond_json(exchange, *chat);
}

void remove(Exchange& exchange, const Services& services) {
  const Request& request = exchange.request();
  const std::string& id = request.params.at("id");
  if (!history_of(services).chats.remove(request.owner, id)) throw chat_not_found(id);
  respond_json(exchange,
               json::object{{"id", id}, {"object", "chat.completion.deleted"}, {"deleted", true}});
}

void list_messages(Exchange& exchange, const Services& services) {
  const Request& request = exchange.request();
  const std::string& id = request.params.at("id");
  auto page =
      history_of(services).chats.message_page(request.owner, id, read_page_request(request, true));
  if (!page) throw chat_not_found(id);
  respond_json(exchange, list_json(std::move(*page)));
}

// Content of parts stands beside the text that they make.
json::object stored_message(const json::object& message, const std::string& id) {
  json::object stored = message;
  stored["id"] = id;
  stored["content_parts"] = nullptr;
  const json::value* content = message.if_contains("content");
  if (!content || !content->is_array()) return stored;
  std::string text;
  for (const json::value& part : content->get_array()) {
    const json::object* object = part.if_object();
    const json::value* piece = object ? object->if_contains("text") : nullptr;
    if (piece && piece->is_string()) text += std::string_view(piece->get_string());
  }
  stored["content_parts"] = *content;
  stored["content"] = text;
  return stored;
}

}  // namespace

void keep_chat(const Services& services, const std::string& owner, json::object completion,
               const json::array& messages, const json::object& metadata) {
  StoredChat chat;
  chat.id = std::string(completion.at("id").as_string());
  chat.model = std::string(completion.at("model").as_string());
  chat.created = completion.at("created").as_int64();
  completion["metadata"] = metadata;
  chat.completion = std::move(completion);
  for (const json::value& message : messages) {
    chat.messages.push_back(
        stored_message(message.as_object(), fmt::format("{}-{}", chat.id, chat.messages.size())));
  }
  history_of(services).chats.put(owner, chat);
}

void add_chat_routes(RouteTable& table, const Services& services, const Dialect& dialect) {
  const auto add = [&](std::string method, std::string_view below, size_t limit,
                       void (*handler)(Exchange&, const Services&)) {
    table.add({std::move(method), fmt::format("{}{}", kCompletions, below), Scope::inference, limit,
               [&services, handler](const auto& exchange) { handler(*exchange, services); },
               std::string(dialect.name()), Lane::store});
  };
  add("GET", "", 0, list);
  add("GET", "/{id}", 0, get);
  add("POST", "/{id}", kMaxSmallBodyBytes, update);
  add("DELETE", "/{id}", 0, remove);
  add("GET", "/{id}/messages", 0, list_messages);
}

}  // namespace strata::api::responses
