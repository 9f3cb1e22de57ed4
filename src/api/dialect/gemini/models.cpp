// /v1beta/models.
#include <charconv>

#include "api/dialect/dialect_common.h"
#include "api/dialect/gemini/gemini.h"

namespace strata::api::gemini {
namespace {

constexpr int64_t kDefaultPage = 50;
constexpr int64_t kMaxPage = 1000;

json::array methods(bool generates) {
  if (!generates) return {"embedContent", "batchEmbedContents"};
  return {"generateContent", "streamGenerateContent", "countTokens", "embedContent",
          "batchEmbedContents"};
}

json::object model_json(const ModelCard& card) {
  return {{"name", "models/" + card.name},
          {"version", card.digest.substr(0, 12)},
          {"displayName", card.name},
          {"description", ""},
          {"supportedGenerationMethods", methods(card.kind != "embedding")}};
}

int64_t read_number(const std::string& query, std::string_view name, int64_t low, int64_t high,
                    int64_t otherwise) {
  const auto text = query_value(query, name);
  if (!text || text->empty()) return otherwise;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size() || number < low || number > high) {
    throw Error(Code::invalid_argument, fmt::format("{} must be from {} to {}", name, low, high));
  }
  return number;
}

}  // namespace

void list_models(const std::shared_ptr<Exchange>& exchange, const Services& services) {
  const std::string& query = exchange->request().query;
  const auto cards = services.gateway->models();
  const auto n = static_cast<int64_t>(cards.size());
  const int64_t size = read_number(query, "pageSize", 1, kMaxPage, kDefaultPage);
  const int64_t begin = read_number(query, "pageToken", 0, INT32_MAX, 0);
  const int64_t end = std::min(n, begin + size);
  json::array models;
  for (int64_t i = begin; i < end; ++i) models.push_back(model_json(cards[static_cast<size_t>(i)]));
  json::object body{{"models", std::move(models)}};
  if (end < n) body["nextPageToken"] = std::to_string(end);
  Response response;
  response.body = to_json(body);
  exchange->respond(std::move(response));
}

void get_model(const std::shared_ptr<Exchange>& exchange, const Services& services) {
  const auto cards = services.gateway->models();
  const ModelCard& card = find_card(cards, exchange->request().params.at("model"));
  json::object model = model_json(card);
  if (const auto traits = services.gateway->traits(card.name)) {
    if (traits->context > 0) {
      model["inputTokenLimit"] = traits->context;
      model["outputTokenLimit"] = traits->max_tokens > 0 ? traits->max_tokens : traits->context;
    }
    model["supportedGenerationMethods"] = methods(traits->generates);
  }
  Response response;
  response.body = to_json(model);
  exchange->respond(std::move(response));
}

}  // namespace strata::api::gemini
