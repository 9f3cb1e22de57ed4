#include "api/dialect/anthropic/anthropic.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "api/dialect/dialect_common.h"
#include "api/dialect/pick_model.h"
#include "api/dialect/token_count.h"
#include "api/gateway/prompt_budget.h"

namespace strata::api::anthropic {
namespace {

// What this server reads and writes is the same in both.
constexpr std::array<std::string_view, 2> kVersions{"2023-06-01", "2026-10-21"};
constexpr std::string_view kVersionHeader = "anthropic-version";
constexpr int kOverloaded = 529;

std::string_view error_type(Code code) {
  switch (code) {
    case Code::unauthenticated:
      return "authentication_error";
    case Code::permission_denied:
    case Code::policy_refused:
      return "permission_error";
    case Code::not_found:
      return "not_found_error";
    case Code::resource_exhausted:
      return "rate_limit_error";
    case Code::unavailable:
      return "overloaded_error";
    case Code::deadline_exceeded:
      return "timeout_error";
    case Code::invalid_argument:
    case Code::already_exists:
    case Code::failed_precondition:
    case Code::unimplemented:
      return "invalid_request_error";
    default:
      return "api_error";
  }
}

// Clients look for these words, and cut the prompt by the numbers. One position is the answer's.
std::string overflow_text(const ContextOverflow& error) {
  return fmt::format("prompt is too long: {} tokens > {} maximum: {}", error.n_prompt(),
                     error.n_context() - 1, full_text(error));
}

void check_version(const Headers& headers) {
  const auto version = headers.find(kVersionHeader);
  if (!version) {
    throw Error(Code::invalid_argument, "the header anthropic-version is missing",
                fmt::format("send anthropic-version: {}", kVersions.front()));
  }
  if (std::ranges::find(kVersions, *version) != kVersions.end()) return;
  throw Error(Code::invalid_argument,
              fmt::format("anthropic-version is '{}', and this server speaks {} and {}",
                          version->substr(0, 40), kVersions[0], kVersions[1]));
}

class Anthropic final : public Dialect {
 public:
  std::string_view name() const override { return "anthropic"; }
  bool owns(std::string_view path) const override { return path.starts_with("/v1/messages"); }

  Response error(const Error& error) const override {
    Response response;
    if (error.code() == Code::unavailable) response.status = kOverloaded;
    response.body = to_json(error_json(error));
    return response;
  }

  void greet(Exchange& exchange) const override {
    exchange.add_header("request-id", exchange.request().id);
  }

  void add_routes(RouteTable& table, const Services& services) const override {
    const auto add = [&](std::string method, std::string pattern, auto handle) {
      const bool of_store = method != "POST" || pattern.find("/batches") != std::string::npos;
      const Lane lane = of_store ? Lane::store : Lane::prompts;
      const size_t body_limit = method == "POST" ? kMaxBodyBytes : 0;
      Route route{.method = std::move(method),
                  .pattern = std::move(pattern),
                  .scope = Scope::inference,
                  .body_limit = body_limit,
                  .handler =
                      [handle](const auto& exchange) {
                        check_version(exchange->request().headers);
                        handle(exchange);
                      },
                  .dialect = std::string(name()),
                  .lane = lane};
      if (route.pattern.starts_with("/v1/models")) route.header = kVersionHeader;
      table.add(std::move(route));
    };
    add("POST", "/v1/messages", [this, &services](const auto& e) { message(e, services); });
    add("POST", "/v1/messages/count_tokens",
        [this, &services](const auto& e) { count(e, services); });
    add("POST", "/v1/messages/batches", [&services](const auto& e) { create_batch(e, services); });
    add("GET", "/v1/messages/batches", [&services](const auto& e) { list_batches(e, services); });
    add("GET", "/v1/messages/batches/{id}", [&services](const auto& e) { get_batch(e, services); });
    add("DELETE", "/v1/messages/batches/{id}",
        [&services](const auto& e) { delete_batch(e, services); });
    add("POST", "/v1/messages/batches/{id}/cancel",
        [&services](const auto& e) { cancel_batch(e, services); });
    add("GET", "/v1/messages/batches/{id}/results",
        [&services](const auto& e) { batch_results(e, services); });
    add("GET", "/v1/models", [&services](const auto& e) { list_models(e, services); });
    add("GET", "/v1/models/{id}", [&services](const auto& e) { get_model(e, services); });
  }

 private:
  void message(const std::shared_ptr<Exchange>& exchange, const Services& services) const {
    Parsed parsed = parse_message(exchange->request().body);
    parsed.request.model = settle_model(std::move(parsed.request.model), services,
                                        exchange->request().owner, Purpose::chat);
    WriterInfo info;
    info.id = fmt::format("msg_{}", exchange->request().id);
    info.model = parsed.request.model;
    info.max_tokens = *parsed.request.sampling.max_tokens;
    info.caches = parsed.caches;
    info.shows_thinking = parsed.shows_thinking;
    std::vector<ChatRequest> requests;
    requests.push_back(std::move(parsed.request));
    answer(exchange, services, *this, std::move(requests), parsed.stream,
           message_writer(std::move(info)));
  }

  void count(const std::shared_ptr<Exchange>& exchange, const Services& services) const {
    ChatRequest request = parse_count(exchange->request().body);
    request.model =
        settle_model(std::move(request.model), services, exchange->request().owner, Purpose::chat);
    answer_count(exchange, services, *this, std::move(request),
                 [](int64_t n_tokens) { return json::object{{"input_tokens", n_tokens}}; });
  }
};

const Registered<Dialect> kAnthropic{std::make_unique<Anthropic>()};

}  // namespace

UnknownThread::UnknownThread(const std::string& field)
    : FieldError(field, fmt::format("{} must be create: no conversations are held here", field),
                 "send all its messages, without thread") {}

json::object error_json(const Error& error) {
  const auto* overflow = dynamic_cast<const ContextOverflow*>(&error);
  json::object inner{{"type", error_type(error.code())},
                     {"message", overflow ? overflow_text(*overflow) : full_text(error)}};
  if (dynamic_cast<const UnknownThread*>(&error) != nullptr) {
    inner["details"] = json::object{{"error_code", "thread_not_found"}};
  }
  return {{"type", "error"}, {"error", std::move(inner)}};
}

int64_t read_limit(const std::string& query) {
  constexpr int64_t kMaxPage = 1000, kDefaultPage = 20;
  const auto text = query_value(query, "limit");
  if (!text) return kDefaultPage;
  int64_t limit = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
  if (error != std::errc() || end != text->data() + text->size() || limit < 1 || limit > kMaxPage) {
    throw FieldError("limit", fmt::format("limit must be from 1 to {}", kMaxPage));
  }
  return limit;
}

}  // namespace strata::api::anthropic
