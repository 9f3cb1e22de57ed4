#include "api/dialect/gemini/gemini.h"

#include <algorithm>
#include <array>

#include "api/access/credentials.h"
#include "api/dialect/dialect_common.h"
#include "api/dialect/token_count.h"

namespace strata::api::gemini {
namespace {

constexpr std::string_view kPath = "/v1beta/";
constexpr std::array<std::string_view, 5> kMethods{"generateContent", "streamGenerateContent",
                                                   "countTokens", "embedContent",
                                                   "batchEmbedContents"};

class Gemini final : public Dialect {
 public:
  std::string_view name() const override { return "gemini"; }
  bool owns(std::string_view path) const override { return path.starts_with(kPath); }

  Response error(const Error& error) const override {
    Response response;
    response.body = to_json(error_json(error));
    return response;
  }

  void add_routes(RouteTable& table, const Services& services) const override {
    const auto add = [&](std::string method, std::string pattern, Handler handler) {
      // Below /v1 the models have another interface's shape, unless Google's own header asks.
      const bool shared = method == "GET" && pattern.starts_with("/v1/");
      const Lane lane = method == "GET" ? Lane::store : Lane::prompts;
      Route route{.method = std::move(method),
                  .pattern = std::move(pattern),
                  .scope = Scope::inference,
                  .body_limit = lane == Lane::store ? 0 : kMaxBodyBytes,
                  .handler = std::move(handler),
                  .dialect = std::string(name()),
                  .lane = lane};
      route.key_in_query = true;
      if (shared) route.header = kQueryKeyHeader;
      table.add(std::move(route));
    };
    for (const std::string root : {"/v1beta/models", "/v1/models"}) {
      add("GET", root, [&services](const auto& e) { list_models(e, services); });
      add("GET", root + "/{model}", [&services](const auto& e) { get_model(e, services); });
      add("POST", root + "/{model}", [this, &services](const auto& e) { call(e, services); });
    }
    // Some clients put no version before the models, where another interface has routes of its own.
    for (const std::string_view method : kMethods) {
      add("POST", fmt::format("/models/{{model}}:{}", method),
          [this, &services, method](const auto& e) {
            ask(e, services, e->request().params.at("model"), method);
          });
    }
  }

 private:
  // The path ends with "MODEL:method", and a model's name may have a colon of its own.
  void call(const std::shared_ptr<Exchange>& exchange, const Services& services) const {
    const std::string& rest = exchange->request().params.at("model");
    const size_t colon = rest.rfind(':');
    ask(exchange, services, rest.substr(0, std::min(colon, rest.size())),
        colon == std::string::npos ? "" : rest.substr(colon + 1));
  }

  void ask(const std::shared_ptr<Exchange>& exchange, const Services& services,
           const std::string& model, std::string_view method) const {
    if (method == "generateContent" || method == "streamGenerateContent") {
      generate(exchange, services, model, method == "streamGenerateContent");
    } else if (method == "countTokens") {
      count(exchange, services, model);
    } else if (method == "embedContent" || method == "batchEmbedContents") {
      embed(exchange, services, *this, model, method == "batchEmbedContents");
    } else {
      std::string known;
      for (const std::string_view each : kMethods) {
        known += fmt::format("{}{}", known.empty() ? "" : ", ", each);
      }
      throw Error(Code::not_found,
                  fmt::format("there is no method '{}' of a model", method.substr(0, 80)),
                  fmt::format("the methods are {}", known));
    }
  }

  void generate(const std::shared_ptr<Exchange>& exchange, const Services& services,
                const std::string& model, bool stream) const {
    Parsed parsed = parse_generate(model, exchange->request().body);
    WriterInfo info;
    info.id = exchange->request().id;
    info.model = model;
    info.shows_thoughts = parsed.shows_thoughts;
    info.logprobs = parsed.request.n_logprobs >= 0;
    info.events = query_value(exchange->request().query, "alt") == "sse";
    std::vector<ChatRequest> requests;
    requests.push_back(std::move(parsed.request));
    answer(exchange, services, *this, std::move(requests), stream, content_writer(std::move(info)));
  }

  void count(const std::shared_ptr<Exchange>& exchange, const Services& services,
             const std::string& model) const {
    answer_count(exchange, services, *this, parse_count(model, exchange->request().body),
                 [](int64_t n_tokens) {
                   return json::object{
                       {"totalTokens", n_tokens},
                       {"promptTokensDetails",
                        json::array{json::object{{"modality", "TEXT"}, {"tokenCount", n_tokens}}}}};
                 });
  }
};

const Registered<Dialect> kGemini{std::make_unique<Gemini>()};

std::string status_name(Code code) {
  std::string text(strata::name(code == Code::policy_refused ? Code::permission_denied : code));
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return text;
}

}  // namespace

json::object error_json(const Error& error) {
  json::object inner{{"code", http_status(error.code())},
                     {"message", full_text(error)},
                     {"status", status_name(error.code())}};
  const auto* field = dynamic_cast<const FieldError*>(&error);
  if (field != nullptr && !field->field().empty()) {
    const json::object violation{{"field", field->field()}, {"description", error.message()}};
    inner["details"] =
        json::array{json::object{{"@type", "type.googleapis.com/google.rpc.BadRequest"},
                                 {"fieldViolations", json::array{violation}}}};
  }
  return {{"error", std::move(inner)}};
}

}  // namespace strata::api::gemini
