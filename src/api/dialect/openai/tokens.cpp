// /tokenize and /detokenize, as vLLM has them ("prompt" or "messages"; "tokens") and as llama.cpp
// has them ("content"; "tokens"): which one is meant is known by the field.
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "api/dialect/dialect_common.h"
#include "api/dialect/openai/openai.h"
#include "api/dialect/pick_model.h"
#include "core/utf8.h"

namespace strata::api::openai {
namespace {

// Where ids come first nothing is put in front of a prompt: this one stands there for it.
constexpr int32_t kNothing = 0;

// A text to be cut. `special`: with what the vocabulary puts in front; `control`: control tokens
// that the text spells are those, else text.
ChatRequest text_request(std::string text, bool special, bool control) {
  ChatRequest request;
  request.raw = true;
  if (special && control) {
    request.prompt = std::move(text);
    return request;
  }
  if (!special) request.prompt_front.push_back({.ids = {kNothing}});
  request.prompt_front.push_back({.text = std::move(text), .plain = !control});
  return request;
}

struct Cut {
  ChatRequest request;
  bool of_vllm = true;  // whose shape the answer has
  size_t n_before = 0;  // ids in front that are not of the text
  bool pieces = false;  // llama.cpp's form: each id with the text that it stands for
};

Cut read_text(Fields& fields, std::string_view key, bool of_vllm) {
  const auto text = fields.text(key);
  if (!text) fields.fail(key, "must be a text");
  const bool special = of_vllm ? fields.boolean("add_special_tokens").value_or(true)
                               : fields.boolean("add_special").value_or(false);
  const bool control = of_vllm || fields.boolean("parse_special").value_or(true);
  const bool pieces = !of_vllm && fields.boolean("with_pieces").value_or(false);
  fields.refuse_unread();
  return {text_request(*text, special, control), of_vllm, special ? 0u : 1u, pieces};
}

Cut read_chat(const json::value& document, const std::string& model, Fields& fields) {
  if (fields.boolean("add_special_tokens").value_or(false)) {
    fields.fail("add_special_tokens", "must be false: the template writes what belongs in front");
  }
  json::object chat = document.as_object();
  for (const char* key : {"add_special_tokens", "return_token_strs"}) chat.erase(key);
  chat["model"] = model;
  return {std::move(parse_chat(to_json(chat)).requests.front())};
}

Cut read_cut(const json::value& document, const Services& services, const std::string& caller) {
  Fields fields(document);
  const bool chats = fields.has("messages");
  const std::string model =
      read_model_or_pick(fields, services, caller, chats ? Purpose::chat : Purpose::anything);
  if (fields.boolean("return_token_strs").value_or(false)) {
    fields.fail("return_token_strs", "is not built", "send content and with_pieces");
  }
  Cut cut;
  if (chats) {
    cut = read_chat(document, model, fields);
  } else {
    const bool of_vllm = !fields.has("content");
    cut = read_text(fields, of_vllm ? "prompt" : "content", of_vllm);
  }
  cut.request.model = model;
  return cut;
}

// The texts of ids, all asked for at once. Kept by the exchange from before that, so that nothing
// is taken for given up in between.
class Pieces : public std::enable_shared_from_this<Pieces> {
 public:
  Pieces(std::weak_ptr<Exchange> exchange, const Services& services, const Dialect& dialect)
      : exchange_(std::move(exchange)), services_(services), dialect_(dialect) {}

  void keep(std::shared_ptr<void> work) {
    const std::lock_guard lock(mutex_);
    works_.push_back(std::move(work));
  }

  // `request`: whose the ids are, and of which model.
  void ask(ChatRequest request, std::vector<int32_t> ids) {
    const std::set<int32_t> distinct(ids.begin(), ids.end());  // its order is respond()'s
    ids_ = std::move(ids);
    if (distinct.empty()) return respond({});
    request.prompt_ids.assign(distinct.begin(), distinct.end());
    request.prompt_only = request.token_ids = true;
    try {
      keep(services_.gateway->start(std::move(request),
                                    [weak = weak_from_this()](ChatEvent&& event) {
                                      const auto self = weak.lock();
                                      if (!self) return;
                                      if (event.event.error) self->fail(*event.event.error);
                                      if (event.start) self->respond(event.event.prompt_tokens);
                                    }));
    } catch (const Error& error) {
      fail(error);
    }
  }

 private:
  void fail(const Error& error) {
    const auto exchange = take_exchange();
    if (exchange) exchange->respond(error_response(dialect_, error));
  }

  // `told`: the distinct ids in their order.
  void respond(const std::vector<inference::GeneratedToken>& told) {
    std::map<int32_t, json::value> pieces;
    for (const int32_t id : ids_) pieces[id] = nullptr;
    auto next = pieces.begin();
    for (const auto& each : told) (next++)->second = piece_json(each.bytes);
    json::array tokens;
    for (const int32_t id : ids_) {
      tokens.push_back(json::object{{"id", id}, {"piece", pieces[id]}});
    }
    Response response;
    response.body = to_json(json::object{{"tokens", std::move(tokens)}});
    if (const auto exchange = take_exchange()) exchange->respond(std::move(response));
  }

  static json::value piece_json(const std::string& piece) {
    if (is_valid_utf8(piece)) return json::string(piece);
    json::array bytes;
    for (const char c : piece) bytes.push_back(int64_t{static_cast<unsigned char>(c)});
    return bytes;
  }

  // Once: there is one answer.
  std::shared_ptr<Exchange> take_exchange() {
    const std::lock_guard lock(mutex_);
    return std::exchange(exchange_, {}).lock();
  }

  std::mutex mutex_;
  std::weak_ptr<Exchange> exchange_;
  const Services& services_;
  const Dialect& dialect_;
  std::vector<int32_t> ids_;
  std::vector<std::shared_ptr<void>> works_;
};

void tokenize_to_pieces(const std::shared_ptr<Exchange>& exchange, const Services& services,
                        const Dialect& dialect, Cut cut) {
  const auto pieces = std::make_shared<Pieces>(exchange, services, dialect);
  exchange->keep(pieces);
  ChatRequest told;
  told.model = cut.request.model;
  told.raw = true;
  name_caller(told, exchange->request());
  pieces->keep(services.gateway->tokenize(
      std::move(cut.request),
      [exchange, &dialect, told, weak = std::weak_ptr(pieces), n_before = cut.n_before](
          std::vector<int32_t>&& ids, const Error* error) {
        if (error != nullptr) return exchange->respond(error_response(dialect, *error));
        ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(n_before));
        if (const auto alive = weak.lock()) alive->ask(told, std::move(ids));
      }));
}

void tokenize(const std::shared_ptr<Exchange>& exchange, const Services& services,
              const Dialect& dialect) {
  Cut cut = read_cut(read_body(exchange->request().body), services, exchange->request().owner);
  name_caller(cut.request, exchange->request());
  if (cut.pieces) return tokenize_to_pieces(exchange, services, dialect, std::move(cut));
  const auto traits = services.gateway->traits(cut.request.model);
  const int32_t context = traits ? traits->context : 0;
  tell_ignored(*exchange, cut.request.ignored);
  exchange->keep(services.gateway->tokenize(
      std::move(cut.request),
      [exchange, &dialect, context, of_vllm = cut.of_vllm, n_before = cut.n_before](
          std::vector<int32_t>&& ids, const Error* error) {
        if (error != nullptr) return exchange->respond(error_response(dialect, *error));
        json::array tokens;
        for (size_t i = n_before; i < ids.size(); ++i) tokens.push_back(ids[i]);
        const size_t count = tokens.size();
        json::object body{{"tokens", std::move(tokens)}};
        if (of_vllm) {
          body["count"] = count;
          body["max_model_len"] = context;
          body["token_strs"] = nullptr;
        }
        Response response;
        response.body = to_json(body);
        exchange->respond(std::move(response));
      }));
}

// The prompt that an answer would begin with is the text of its ids.
class TextWriter final : public AnswerWriter {
 public:
  std::string_view stream_type() const override { return "application/json"; }
  void progress(const ChatEvent& event, std::string&) override {
    if (event.start) text_ = event.start->prompt;
  }
  void event(const ChatEvent&, std::string&) override {}
  void close(const Totals&, std::string&) override {}
  void error(const Error&, std::string&) override {}
  Response whole(const std::vector<WholeChoice>&, const Totals&) override {
    Response response;
    response.body = to_json(json::object{{"prompt", text_}, {"content", text_}});
    return response;
  }

 private:
  std::string text_;
};

void detokenize(const std::shared_ptr<Exchange>& exchange, const Services& services,
                const Dialect& dialect) {
  const json::value document = read_body(exchange->request().body);
  Fields fields(document);
  ChatRequest request;
  request.model =
      read_model_or_pick(fields, services, exchange->request().owner, Purpose::anything);
  request.raw = true;
  request.prompt_only = true;
  const json::value* tokens = fields.get("tokens");
  if (!tokens || !tokens->is_array()) fields.fail("tokens", "must be an array of token ids");
  request.prompt_ids = read_ids(tokens->get_array(), fields, "tokens");
  if (request.prompt_ids.empty()) fields.fail("tokens", "must have at least one id");
  fields.refuse_unread();
  answer(exchange, services, dialect, {std::move(request)}, false, std::make_shared<TextWriter>());
}

}  // namespace

void add_token_routes(RouteTable& table, const Services& services, const Dialect& dialect) {
  const auto add = [&](std::string path, auto handler) {
    table.add({"POST", std::move(path), Scope::inference, kMaxBodyBytes,
               [&services, &dialect, handler](const auto& e) { handler(e, services, dialect); },
               std::string(dialect.name()), Lane::prompts});
  };
  add("/tokenize", tokenize);
  add("/detokenize", detokenize);
}

}  // namespace strata::api::openai
