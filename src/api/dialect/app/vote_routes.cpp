// /api/v1/votes: which model answered best, and the ratings that follow.
#include <algorithm>

#include "api/dialect/app/app.h"
#include "api/dialect/dialect_common.h"
#include "api/limits.h"

namespace strata::api::app {
namespace {

VoteStore& votes_of(const Services& services) {
  return history_of(services).votes;
}

json::object vote_json(const Vote& vote) {
  return {{"id", vote.id},
          {"created", vote.created},
          {"models", json::array(vote.models.begin(), vote.models.end())},
          {"winner", vote.winner},
          {"blind", vote.blind}};
}

// So that other windows show the new table.
void tell(const Services& services, const Exchange& exchange) {
  history_of(services).feed.tell(exchange.request().owner, "votes", {});
}

void list(const Services& services, Exchange& exchange) {
  const auto all = votes_of(services).all(exchange.request().owner);
  json::array ratings, newest;
  for (const Rating& each : ratings_of(all)) {
    ratings.push_back(json::object{{"model", each.model},
                                   {"rating", each.rating},
                                   {"won", each.won},
                                   {"lost", each.lost},
                                   {"tied", each.tied}});
  }
  for (auto vote = all.rbegin(); vote != all.rend() && newest.size() < kPageItems; ++vote) {
    newest.push_back(vote_json(*vote));
  }
  respond_json(exchange, json::object{{"ratings", std::move(ratings)},
                                      {"total", all.size()},
                                      {"data", std::move(newest)}});
}

Vote read_vote(const std::string& text) {
  const json::value body = read_body(text);
  Fields fields(body);
  Vote vote;
  for (const json::value& each : fields.array("models", kMaxVotedModels)) {
    const auto* name = each.if_string();
    if (!name || name->empty() || name->size() > kMaxModelNameBytes) {
      fields.fail("models", "must be models' names");
    }
    if (std::ranges::find(vote.models, std::string(*name)) != vote.models.end()) {
      fields.fail("models", fmt::format("has '{}' twice", *name));
    }
    vote.models.emplace_back(*name);
  }
  if (vote.models.size() < kMinVotedModels) {
    fields.fail("models", fmt::format("has {} names; a vote is between {} to {}",
                                      vote.models.size(), kMinVotedModels, kMaxVotedModels));
  }
  vote.winner = fields.text("winner").value_or("");
  if (!vote.winner.empty() && std::ranges::find(vote.models, vote.winner) == vote.models.end()) {
    fields.fail("winner", "is none of the models", "leave it out where none was better");
  }
  vote.blind = fields.boolean("blind").value_or(false);
  fields.refuse_unread();
  return vote;
}

void add_vote(const Services& services, Exchange& exchange) {
  Vote vote = read_vote(exchange.request().body);
  vote = votes_of(services).add(exchange.request().owner, std::move(vote), services.now_ms());
  tell(services, exchange);
  respond_json(exchange, vote_json(vote));
}

void remove(const Services& services, Exchange& exchange) {
  const std::string id = param(exchange, "id");
  if (!votes_of(services).remove(exchange.request().owner, id)) {
    throw Error(Code::not_found, fmt::format("there is no vote '{}'", id.substr(0, 80)));
  }
  tell(services, exchange);
  respond_json(exchange, json::object{{"id", id}, {"deleted", true}});
}

void clear(const Services& services, Exchange& exchange) {
  const int64_t n = votes_of(services).clear(exchange.request().owner);
  tell(services, exchange);
  respond_json(exchange, json::object{{"deleted", n}});
}

}  // namespace

void add_vote_routes(RouteTable& table, const Services& services, const Dialect& dialect) {
  const auto add = [&](std::string method, std::string pattern, size_t limit,
                       void (*handle)(const Services&, Exchange&)) {
    table.add({std::move(method), std::move(pattern), Scope::inference, limit,
               [&services, handle](const auto& exchange) { handle(services, *exchange); },
               std::string(dialect.name()), Lane::store});
  };
  add("GET", "/api/v1/votes", 0, list);
  add("POST", "/api/v1/votes", kMaxSmallBodyBytes, add_vote);
  add("DELETE", "/api/v1/votes", kMaxSmallBodyBytes, clear);
  add("DELETE", "/api/v1/votes/{id}", kMaxSmallBodyBytes, remove);
}

}  // namespace strata::api::app
