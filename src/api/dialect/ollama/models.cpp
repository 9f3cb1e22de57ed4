// What Ollama's interface tells about models: tags, ps, show.
#include "api/dialect/dialect_common.h"
#include "api/dialect/ollama/ollama.h"
#include "api/gateway/model_traits.h"
#include "api/library.h"

namespace strata::api::ollama {
namespace {

// For ever, as a time: clients read expires_at as one and count the days until then.
constexpr int64_t kForEverMs = int64_t{100} * 365 * 86'400'000;

// The models that are served; those of the store with what their files say.
std::vector<ModelCard> cards_of(const Services& services) {
  auto cards = services.gateway->models();
  if (!services.library) return cards;
  auto known = services.library->list();
  for (ModelCard& card : cards) {
    const auto at = std::ranges::find(known, card.name, &ModelCard::name);
    if (at != known.end() && at->digest == card.digest) card = std::move(*at);
  }
  return cards;
}

json::object details_json(const ModelCard& card, const std::string& parent) {
  return {{"parent_model", parent},
          {"format", card.format},
          {"family", card.family},
          {"families", json::array{json::string(card.family)}},
          {"parameter_size", card.parameter_size},
          {"quantization_level", card.quantization}};
}

// A line each, padded as in a Modelfile that somebody has written with care.
std::string parameters_text(const std::multimap<std::string, std::string>& parameters) {
  std::string text;
  for (const auto& [name, value] : parameters) {
    const bool quoted = name == "stop";
    text += fmt::format("{}{:<30} {}", text.empty() ? "" : "\n", name,
                        quoted ? json_quote(value) : value);
  }
  return text;
}

json::array messages_json(const std::vector<models::Message>& messages) {
  json::array list;
  for (const auto& message : messages) {
    list.push_back(json::object{{"role", message.role}, {"content", message.content}});
  }
  return list;
}

// What `strata run` asks a server before it opens a chat, and what programs decide by.
void add_traits(const Services& services, const std::string& model,
                const std::optional<std::string>& chat_template, const Vocabularies::Facts& facts,
                json::object& body) {
  if (const auto traits = services.gateway->traits(model)) {
    body["strata"] = to_json_object(*traits);
    body["capabilities"] = capabilities_of(*traits, chat_template, facts);
  }
}

}  // namespace

json::object tags_json(const Services& services) {
  json::array list;
  for (const ModelCard& card : cards_of(services)) {
    list.push_back(json::object{{"name", card.name},
                                {"model", card.name},
                                {"modified_at", rfc3339(card.modified * 1000)},
                                {"size", card.size_bytes},
                                {"digest", card.digest},
                                {"details", details_json(card, "")},
                                {"strata", {{"kind", card.kind}}}});
  }
  return {{"models", std::move(list)}};
}

json::object running_json(const Services& services) {
  json::array list;
  const auto cards = cards_of(services);
  for (const RunningModel& model : services.gateway->running()) {
    const auto known = std::ranges::find(cards, model.card.name, &ModelCard::name);
    const ModelCard& card = known == cards.end() ? model.card : *known;
    const int64_t until_ms = model.idle_until_ms.value_or(services.now_ms() + kForEverMs);
    json::object ours{{"running", model.running},
                      {"queued", model.queued},
                      {"loading", model.loading},
                      {"idle_until_ms", nullptr}};
    if (model.idle_until_ms) ours["idle_until_ms"] = *model.idle_until_ms;
    list.push_back(json::object{{"name", card.name},
                                {"model", card.name},
                                {"size", model.memory_bytes},
                                {"digest", card.digest},
                                {"details", details_json(card, "")},
                                {"expires_at", rfc3339(until_ms)},
                                {"size_vram", 0},
                                {"context_length", model.context},
                                {"strata", std::move(ours)}});
  }
  return {{"models", std::move(list)}};
}

json::object show_json(const Services& services, Vocabularies& vocabularies,
                       const std::string& model, bool verbose) {
  const auto cards = cards_of(services);
  const ModelCard& card = find_card(cards, model);
  json::object body{{"capabilities", json::array{"completion"}},
                    {"modified_at", rfc3339(card.modified * 1000)}};
  if (!services.library || card.digest.empty()) {  // a scripted one: no file stands behind it
    body["details"] = details_json(card, "");
    body["model_info"] = json::object{{"general.architecture", card.family}};
    add_traits(services, card.name, std::nullopt, {}, body);
    return body;
  }
  ModelDetails details = services.library->show(card.name, verbose);
  const auto& manifest = details.manifest;
  body["details"] = details_json(details.card, manifest.parent);
  body["modelfile"] = details.modelfile;
  body["template"] = details.chat_template;
  body["parameters"] = parameters_text(details.settings);
  body["system"] = manifest.overrides.system;
  body["messages"] = messages_json(manifest.overrides.messages);
  body["license"] = details.licence;
  details.info["general.parameter_count"] = details.n_weights;
  body["model_info"] = std::move(details.info);
  if (verbose) body["tensors"] = std::move(details.tensors);
  add_traits(services, card.name, details.chat_template,
             vocabularies.of(services.library->store(), manifest), body);
  return body;
}

}  // namespace strata::api::ollama
