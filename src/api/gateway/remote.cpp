#include "api/gateway/remote.h"

#include <algorithm>

#include "api/gateway/model_traits.h"
#include "api/gateway/remote_answer.h"
#include "core/error.h"
#include "models/hub/known_names.h"

namespace strata::api {
namespace {

constexpr uint64_t kProbeTimeoutMs = 400;

class RemoteBackend : public Backend {
 public:
  RemoteBackend(std::string base_url, std::string key)
      : base_url_(std::move(base_url)), key_(std::move(key)) {}

  std::string_view name() const override { return "remote"; }
  bool serves(std::string_view) const override { return true; }
  std::unique_ptr<Answer> start(ChatRequest request, ChatSink sink) override {
    return answers_.start(base_url_, key_, std::move(request), std::move(sink));
  }

  // Waits for the server: the one caller has nothing else to do.
  std::unique_ptr<Answer> embed(EmbeddingRequest request, EmbeddingAnswerSink sink) override {
    sink(embed_on_server(base_url_, key_, request), nullptr);
    return nullptr;
  }

  std::vector<ModelCard> models() const override {
    std::vector<ModelCard> cards;
    for (const auto& row : rows_of("/api/tags")) cards.push_back(card_of(row.as_object()));
    return cards;
  }

  std::vector<RunningModel> running() const override {
    std::vector<RunningModel> models;
    for (const auto& row : rows_of("/api/ps")) models.push_back(running_of(row.as_object()));
    return models;
  }

  bool unload(std::string_view model) override {
    const auto loaded = running();
    const auto is_loaded = [&](std::string_view name) {
      return std::ranges::any_of(loaded, [&](const RunningModel& each) {
        return each.card.name == name || each.card.name == fmt::format("{}:latest", name);
      });
    };
    const auto names = [&] {
      std::vector<std::string> all;
      for (const RunningModel& each : loaded) all.push_back(each.card.name);
      return all;
    };
    const std::string name = models::resolve_name(model, {is_loaded, names});
    if (!is_loaded(name)) return false;
    call("POST", "/api/generate",
         to_json(json::object{{"model", name}, {"keep_alive", 0}, {"stream", false}}));
    return true;
  }

  std::optional<ModelTraits> traits(std::string_view model) const override {
    try {
      const auto shown = call("POST", "/api/show", to_json(json::object{{"model", model}}));
      const auto* ours = shown.as_object().if_contains("strata");
      return parse_traits(ours == nullptr ? json::value() : *ours);
    } catch (const Error& error) {
      if (error.code() == Code::not_found) return std::nullopt;
      throw;
    }
  }

  // A file of this machine goes to the store of this machine, which may be the server's own.
  std::string fetch(std::string_view what, const models::PullOptions& options) override {
    if (what.starts_with("file:"))
      return models::pull(models::Store(), what, options).manifest.name;
    return pull_on_server(base_url_, key_, what, options);
  }

 private:
  json::value call(std::string method, std::string_view path, std::string body = {}) const {
    const auto response =
        http_request(request_to(base_url_, key_, std::move(method), path, std::move(body)),
                     policy_for_server(base_url_));
    if (response.head.status != 200) throw refusal_of(response.head.status, response.body);
    return parse_json(response.body);
  }

  json::array rows_of(std::string_view path) const {
    return call("GET", path).as_object().at("models").as_array();
  }

  static ModelCard card_of(const json::object& row) {
    ModelCard card;
    card.name = text_of(row, "name");
    card.digest = text_of(row, "digest");
    card.size_bytes = integer_of(row, "size");
    return card;
  }

  static RunningModel running_of(const json::object& row) {
    RunningModel model;
    model.card = card_of(row);
    model.memory_bytes = integer_of(row, "size");
    model.context = static_cast<int32_t>(integer_of(row, "context_length"));
    const json::object& ours = row.at("strata").as_object();
    model.running = static_cast<int32_t>(integer_of(ours, "running"));
    model.queued = static_cast<int32_t>(integer_of(ours, "queued"));
    model.loading = ours.at("loading").as_bool();
    if (ours.at("idle_until_ms").is_int64()) {
      model.idle_until_ms = ours.at("idle_until_ms").get_int64();
    }
    return model;
  }

  std::string base_url_;
  std::string key_;
  RemoteAnswers answers_;
};

}  // namespace

std::optional<std::string> find_server(const std::string& host) {
  const std::string base = host.find("://") == std::string::npos ? "http://" + host : host;
  try {
    HttpRequest request;
    request.url = base + "/api/version";
    request.connect_timeout_ms = kProbeTimeoutMs;
    request.total_timeout_ms = kProbeTimeoutMs;
    request.max_body_bytes = 4096;
    const auto response = http_request(request, policy_for_server(base));
    const auto value = parse_json(response.body);
    if (value.is_object() && value.get_object().contains("strata")) return base;
  } catch (const Error&) {
    // Nobody is there, or nobody who speaks this: the caller goes on without.
  }
  return std::nullopt;
}

std::unique_ptr<Backend> make_remote_backend(std::string base_url, std::string key) {
  return std::make_unique<RemoteBackend>(std::move(base_url), std::move(key));
}

}  // namespace strata::api
