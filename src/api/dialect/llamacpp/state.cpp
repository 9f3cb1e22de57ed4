// What llama.cpp's interface tells about the server: /props, /slots, /lora-adapters.
#include <algorithm>

#include "api/dialect/dialect_common.h"
#include "api/dialect/llamacpp/llamacpp.h"
#include "api/dialect/pick_model.h"
#include "api/library.h"
#include "core/version.h"
#include "inference/defaults.h"

namespace strata::api::llamacpp {
namespace {

ModelDetails details_of(const Services& services, const ModelCard& card) {
  return services.library != nullptr && !card.digest.empty() ? services.library->show(card.name)
                                                             : ModelDetails{};
}

// One that is not in memory has no name, and the places and positions that it would get.
RunningModel running_of(const Services& services, const ModelCard& card) {
  for (RunningModel& each : services.gateway->running()) {
    if (model_label(each.card.name) == model_label(card.name)) return std::move(each);
  }
  const ModelTraits traits = services.gateway->traits(card.name).value_or(ModelTraits{});
  RunningModel idle;
  idle.context = traits.own_context;
  idle.max_running = std::max(traits.max_running, 1);
  return idle;
}

json::object default_settings(const models::Parameters& parameters) {
  const inference::GenerationDefaults defaults = inference::parse_parameters(parameters);
  json::object settings = settings_json({defaults.sampler, defaults.max_tokens, defaults.stop});
  // Drawn anew for each request unless the model brings one.
  if (!defaults.seed_given) settings["seed"] = -1;
  return settings;
}

json::object props_json(const Services& services, const std::string& model) {
  const auto cards = services.gateway->models();
  const ModelCard& card = find_card(cards, model);
  const RunningModel running = running_of(services, card);
  ModelDetails details = details_of(services, card);
  return {
      {"default_generation_settings",
       json::object{{"n_ctx", running.context}, {"params", default_settings(details.settings)}}},
      {"total_slots", running.max_running},
      {"model_alias", card.name},
      {"model_path", card.name},  // no path of this machine is told
      {"chat_template", std::move(details.chat_template)},
      {"modalities", json::object{{"vision", false}, {"audio", false}}},
      {"build_info", fmt::format("strata-{}", version())},
      {"is_sleeping", running.card.name.empty()}};
}

// The places of a model: any request takes any one that is free.
json::array slots_json(const RunningModel& model) {
  json::array slots;
  for (int32_t i = 0; i < model.max_running; ++i) {
    slots.push_back(json::object{{"id", i},
                                 {"n_ctx", model.context},
                                 {"speculative", false},
                                 {"is_processing", i < model.running}});
  }
  return slots;
}

void tell_slots(const std::shared_ptr<Exchange>& exchange, const Services& services) {
  const std::string& query = exchange->request().query;
  const auto cards = services.gateway->models();
  const ModelCard& card = find_card(cards, model_of_query(exchange->request(), services));
  const RunningModel model = running_of(services, card);
  if (query_value(query, "fail_on_no_slot") && model.running >= model.max_running) {
    throw Error(Code::unavailable, fmt::format("all {} places are taken", model.max_running));
  }
  exchange->respond(json_response(slots_json(model)));
}

[[noreturn]] void refuse_slot(const std::shared_ptr<Exchange>& exchange) {
  const std::string action = query_value(exchange->request().query, "action").value_or("");
  if (action != "save" && action != "restore" && action != "erase") {
    throw FieldError("action", "action must be save, restore or erase");
  }
  throw Error(Code::unimplemented,
              fmt::format("{} of a slot is not built: what was computed for a beginning is kept by "
                          "its text, and found again whoever sends it",
                          action),
              "the setting cache.disk keeps it when the model is unloaded");
}

void set_adapters(const std::shared_ptr<Exchange>& exchange) {
  const json::value body = parse_json(exchange->request().body);
  if (!body.is_array()) throw Error(Code::invalid_argument, "the body must be an array");
  if (!body.get_array().empty()) {
    throw Error(Code::invalid_argument, "there are no adapters whose scale could be set",
                "send an empty array, or use a model that has the adapter merged into it");
  }
  exchange->respond(json_response(json::object{{"success", true}}));
}

}  // namespace

void add_state_routes(RouteTable& table, const Services& services, const Dialect& dialect) {
  const auto add = [&](std::string method, std::string pattern, Handler handler) {
    const size_t limit = method == "GET" ? 0 : kMaxSmallBodyBytes;
    table.add({std::move(method), std::move(pattern), Scope::inference, limit, std::move(handler),
               std::string(dialect.name()), Lane::store});
  };
  add("GET", "/props", [&services](const auto& e) {
    e->respond(json_response(props_json(services, model_of_query(e->request(), services))));
  });
  add("POST", "/props", [](const auto&) {
    throw Error(Code::unimplemented, "no properties of the server can be changed by a request");
  });
  add("GET", "/slots", [&services](const auto& e) { tell_slots(e, services); });
  add("POST", "/slots/{id}", [](const auto& e) { refuse_slot(e); });
  add("GET", "/lora-adapters", [](const auto& e) { e->respond(json_response(json::array{})); });
  add("POST", "/lora-adapters", [](const auto& e) { set_adapters(e); });
}

}  // namespace strata::api::llamacpp
