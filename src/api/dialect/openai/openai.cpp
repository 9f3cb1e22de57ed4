#include "api/dialect/openai/openai.h"

#include "api/conversation/page.h"
#include "api/dialect/dialect_common.h"
#include "api/dialect/pick_model.h"
#include "api/dialect/responses/stored_chats.h"
#include "api/dialect/token_count.h"
#include "api/gateway/prompt_budget.h"
#include "api/library.h"

namespace strata::api::openai {
namespace {

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
    case Code::invalid_argument:
    case Code::already_exists:
    case Code::failed_precondition:
    case Code::unimplemented:
      return "invalid_request_error";
    default:
      return "server_error";
  }
}

// Clients look for these words, and cut the prompt by the number.
std::string overflow_text(const ContextOverflow& error) {
  return fmt::format(
      "This model's maximum context length is {} tokens. However, your messages resulted in {} "
      "tokens: {}",
      error.n_context(), error.n_prompt(), full_text(error));
}

json::object model_json(const ModelCard& card) {
  return {
      {"id", card.name}, {"object", "model"}, {"created", card.modified}, {"owned_by", "strata"}};
}

WriterInfo writer_info(const Exchange& exchange, const Services& services, const Parsed& parsed,
                       std::string_view prefix) {
  WriterInfo info;
  info.id = fmt::format("{}-{}", prefix, exchange.request().id);
  info.created = services.now_ms() / 1000;
  info.model = parsed.requests.front().model;
  info.include_usage = parsed.include_usage;
  info.service_tier = parsed.service_tier;
  info.metadata = parsed.metadata;
  info.obfuscate = parsed.obfuscate;
  info.timings = parsed.timings;
  info.function_form = parsed.function_form;
  info.logprobs = parsed.requests.front().n_logprobs >= 0;
  info.n = parsed.requests.front().n;
  return info;
}

// A server that keeps nothing says that it ignores the wish.
void keep_answer(const Exchange& exchange, const Services& services, Parsed& parsed,
                 WriterInfo& info) {
  if (!parsed.store) return;
  if (services.history == nullptr) {
    parsed.requests.front().ignored.emplace_back("store");
    return;
  }
  info.id = new_id("chatcmpl-");
  info.keep = [&services, owner = exchange.request().owner, messages = std::move(parsed.messages),
               metadata = parsed.metadata](json::object completion) {
    responses::keep_chat(services, owner, std::move(completion), messages, metadata);
  };
}

// How many tokens a chat's prompt has, as llama.cpp's server tells it.
void count_chat(const std::shared_ptr<Exchange>& exchange, const Services& services,
                const Dialect& dialect) {
  ChatRequest request = std::move(parse_chat(exchange->request().body).requests.front());
  request.model =
      settle_model(std::move(request.model), services, exchange->request().owner, Purpose::chat);
  answer_count(exchange, services, dialect, std::move(request), [](int64_t n_tokens) {
    return json::object{{"object", "response.input_tokens"}, {"input_tokens", n_tokens}};
  });
}

// Of each request the same, in `model` or else in the body.
void settle_models(Parsed& parsed, const Services& services, const std::string& model,
                   const std::string& caller, Purpose purpose) {
  const std::string settled = settle_model(model.empty() ? parsed.requests.front().model : model,
                                           services, caller, purpose);
  for (ChatRequest& request : parsed.requests) request.model = settled;
}

class OpenAi final : public Dialect {
 public:
  std::string_view name() const override { return "openai"; }
  bool owns(std::string_view path) const override {
    return path == "/v1" || path.starts_with("/v1/") || path == "/tokenize" ||
           path == "/detokenize" || path.starts_with("/chat/completions") ||
           path.starts_with("/responses");
  }
  bool shares() const override { return true; }

  Response error(const Error& error) const override {
    Response response;
    response.body = to_json(error_json(error));
    return response;
  }

  void add_routes(RouteTable& table, const Services& services) const override {
    const auto add = [&](std::string method, std::string pattern, size_t limit, Handler handler) {
      const Lane lane = method == "GET" ? Lane::store : Lane::prompts;
      table.add({std::move(method), std::move(pattern), Scope::inference, limit, std::move(handler),
                 std::string(name()), lane});
    };
    for (const char* path : {"/v1/models", "/models"}) {
      add("GET", path, 0, [&services](const auto& e) { list(e, services); });
    }
    add("GET", "/v1/models/{id}", 0, [&services](const auto& e) { get(e, services); });
    // Without /v1 too, where no other dialect has the path: llama.cpp's server has both.
    for (const std::string front : {"/v1", ""}) {
      add("POST", front + "/chat/completions", kMaxBodyBytes,
          [this, &services](const auto& e) { answer_chat(e, services, *this); });
      add("POST", front + "/chat/completions/input_tokens", kMaxBodyBytes,
          [this, &services](const auto& e) { count_chat(e, services, *this); });
    }
    add("POST", "/v1/completions", kMaxBodyBytes,
        [this, &services](const auto& e) { answer_completion(e, services, *this); });
    add("POST", "/v1/embeddings", kMaxBodyBytes,
        [this, &services](const auto& e) { embed(e, services, *this); });
    add("POST", "/v1/moderations", kMaxBodyBytes, [](const auto&) { refuse_moderation(); });
    table.add({"DELETE", "/v1/models/{id}", Scope::models, 0,
               [&services](const auto& e) { remove(e, services); }, std::string(name()),
               Lane::store});
    add_file_routes(table, services);
    add_token_routes(table, services, *this);
  }

 private:
  static void list(const std::shared_ptr<Exchange>& exchange, const Services& services) {
    json::array data;
    for (const ModelCard& card : services.gateway->models()) data.push_back(model_json(card));
    Response response;
    response.body = to_json(json::object{{"object", "list"}, {"data", std::move(data)}});
    exchange->respond(std::move(response));
  }

  static void get(const std::shared_ptr<Exchange>& exchange, const Services& services) {
    const std::string& id = exchange->request().params.at("id");
    const auto cards = services.gateway->models();
    Response response;
    response.body = to_json(model_json(find_card(cards, id)));
    exchange->respond(std::move(response));
  }

  static void remove(const std::shared_ptr<Exchange>& exchange, const Services& services) {
    const std::string& id = exchange->request().params.at("id");
    const std::string name = find_card(services.gateway->models(), id).name;
    if (!services.library) {
      throw Error(Code::failed_precondition, "this server has no store to delete models from");
    }
    services.library->remove(name);
    Response response;
    response.body = to_json(json::object{{"id", name}, {"object", "model"}, {"deleted", true}});
    exchange->respond(std::move(response));
  }

  [[noreturn]] static void refuse_moderation() {
    throw Error(Code::unimplemented, "moderations are not built: no model here judges texts",
                "ask a chat model that was trained to classify texts, through "
                "/v1/chat/completions");
  }
};

const Registered<Dialect> openai{std::make_unique<OpenAi>()};

}  // namespace

void answer_chat(const std::shared_ptr<Exchange>& exchange, const Services& services,
                 const Dialect& dialect, const std::string& model) {
  Parsed parsed = parse_chat(exchange->request().body);
  settle_models(parsed, services, model, exchange->request().owner, Purpose::chat);
  WriterInfo info = writer_info(*exchange, services, parsed, "chatcmpl");
  keep_answer(*exchange, services, parsed, info);
  auto writer = chat_writer(std::move(info));
  answer(exchange, services, dialect, std::move(parsed.requests), parsed.stream, std::move(writer));
}

void answer_completion(const std::shared_ptr<Exchange>& exchange, const Services& services,
                       const Dialect& dialect, const std::string& model) {
  Parsed parsed = parse_completion(exchange->request().body);
  settle_models(parsed, services, model, exchange->request().owner, Purpose::text);
  WriterInfo info = writer_info(*exchange, services, parsed, "cmpl");
  info.echo = parsed.echo;
  info.logprobs = parsed.logprobs;
  info.n_kept = parsed.n_kept;
  info.prompts = std::move(parsed.prompts);
  answer(exchange, services, dialect, std::move(parsed.requests), parsed.stream,
         completion_writer(std::move(info)));
}

json::object error_json(const Error& error) {
  const auto* overflow = dynamic_cast<const ContextOverflow*>(&error);
  if (overflow != nullptr) {
    return {{"error", json::object{{"message", overflow_text(*overflow)},
                                   {"type", error_type(error.code())},
                                   {"param", nullptr},
                                   {"code", "context_length_exceeded"}}}};
  }
  // Programs ask for this code before they offer another model.
  if (dynamic_cast<const models::ModelNotFound*>(&error) != nullptr) {
    return {{"error", json::object{{"message", full_text(error)},
                                   {"type", "invalid_request_error"},
                                   {"param", "model"},
                                   {"code", "model_not_found"}}}};
  }
  const auto* field = dynamic_cast<const FieldError*>(&error);
  json::value param = nullptr;
  if (field && !field->field().empty()) param = json::string(field->field());
  return {{"error", json::object{{"message", full_text(error)},
                                 {"type", error_type(error.code())},
                                 {"param", std::move(param)},
                                 {"code", strata::name(error.code())}}}};
}

}  // namespace strata::api::openai
