// A conversation that its owner shows: anybody who has the link reads a copy, without a key.
#include "api/dialect/app/app.h"
#include "api/dialect/dialect_common.h"
#include "api/json_fields.h"
#include "api/limits.h"

namespace strata::api::app {
namespace {

// Of its path, what a reader sees: no system prompt, no parameters, no thinking.
json::object shown(ThreadStore& threads, const std::string& owner, const std::string& id) {
  const auto thread = threads.find(owner, id);
  if (!thread) throw thread_not_found(id);
  json::array messages;
  for (const ThreadMessage& each :
       threads.path(owner, id, std::string(thread->at("leaf").as_string()))) {
    json::object message{{"role", each.role}, {"text", each.text}, {"created", each.created}};
    if (const json::value* model = each.data.if_contains("model")) message["model"] = *model;
    messages.push_back(std::move(message));
  }
  return {{"title", thread->at("title")}, {"messages", std::move(messages)}};
}

json::object link_json(const Share& share) {
  return {{"shared", true},
          {"token", share.token},
          {"created", share.created},
          {"path", "/#/shared/" + share.token}};
}

void put(const Services& services, Exchange& exchange) {
  const json::value body = read_body(exchange.request().body);
  Fields(body).refuse_unread();
  const std::string& owner = exchange.request().owner;
  const std::string id = param(exchange, "id");
  History& history = history_of(services);
  respond_json(exchange, link_json(history.shares.put(owner, id, shown(history.threads, owner, id),
                                                      services.now_ms())));
}

Error not_shared(std::string_view what) {
  return Error(Code::not_found, fmt::format("{} is not shared", what));
}

void get(const Services& services, Exchange& exchange) {
  const std::string& owner = exchange.request().owner;
  const std::string id = param(exchange, "id");
  History& history = history_of(services);
  if (!history.threads.find(owner, id)) throw thread_not_found(id);
  const auto share = history.shares.find_of(owner, id);
  respond_json(exchange, share ? link_json(*share) : json::object{{"shared", false}});
}

void remove(const Services& services, Exchange& exchange) {
  const std::string id = param(exchange, "id");
  if (!history_of(services).shares.remove(exchange.request().owner, id)) {
    throw not_shared("this conversation");
  }
  respond_json(exchange, json::object{{"id", id}, {"deleted", true}});
}

void read(const Services& services, Exchange& exchange) {
  const auto share = history_of(services).shares.find(param(exchange, "token"));
  if (!share || !is_live(services, share->owner)) throw not_shared("what this link names");
  json::object body = share->content;
  body["created"] = share->created;
  respond_json(exchange, body);
}

}  // namespace

void add_share_routes(RouteTable& table, const Services& services, const Dialect& dialect) {
  const auto add = [&](std::string method, std::string pattern, Scope scope, size_t limit,
                       void (*handle)(const Services&, Exchange&)) {
    table.add({std::move(method), std::move(pattern), scope, limit,
               [&services, handle](const auto& exchange) { handle(services, *exchange); },
               std::string(dialect.name()), Lane::store});
  };
  const std::string share = "/api/v1/conversations/{id}/share";
  add("POST", share, Scope::inference, kMaxSmallBodyBytes, put);
  add("GET", share, Scope::inference, 0, get);
  add("DELETE", share, Scope::inference, kMaxSmallBodyBytes, remove);
  add("GET", "/api/v1/shared/{token}", Scope::open, 0, read);
}

}  // namespace strata::api::app
