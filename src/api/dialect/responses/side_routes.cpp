// What is asked of a model beside an answer: how long an input is, and a conversation in short.
#include "api/dialect/answer.h"
#include "api/dialect/responses/responses.h"
#include "api/dialect/token_count.h"

namespace strata::api::responses {
namespace {

constexpr std::string_view kCompactQuestion =
    "Write down in short all that was said so far, so that somebody who has read only this can go "
    "on with it: what was wanted, what is known, names and numbers, what tools have answered, what "
    "was decided and what is open. Write nothing else.";

// Nothing is streamed.
class WholeWriter : public AnswerWriter {
 public:
  std::string_view stream_type() const override { return "application/json"; }
  void event(const ChatEvent&, std::string&) override {}
  void close(const Totals&, std::string&) override {}
  void error(const Error&, std::string&) override {}
};

class CompactWriter final : public WholeWriter {
 public:
  explicit CompactWriter(int64_t created_s) : created_s_(created_s) {}

  Response whole(const std::vector<WholeChoice>& choices, const Totals&) override {
    const WholeChoice& choice = choices.front();
    const json::object item{{"id", new_id("cmp_")},
                            {"type", "compaction"},
                            {"encrypted_content", seal(choice.text)},
                            {"status", "completed"}};
    Response response;
    response.body =
        to_json(json::object{{"id", new_id("resp_")},
                             {"object", "response.compaction"},
                             {"created_at", created_s_},
                             {"output", json::array{item}},
                             {"usage", usage_json(choice.usage, choice.reasoning_tokens)}});
    return response;
  }

 private:
  const int64_t created_s_;
};

void count(const std::shared_ptr<Exchange>& exchange, const Services& services,
           const Dialect& dialect) {
  const Request& request = exchange->request();
  Ask ask = parse_count(services, request);
  assemble(ask, services, request);
  answer_count(exchange, services, dialect, std::move(ask.chat), [](int64_t n_tokens) {
    return json::object{{"object", "response.input_tokens"}, {"input_tokens", n_tokens}};
  });
}

void compact(const std::shared_ptr<Exchange>& exchange, const Services& services,
             const Dialect& dialect) {
  const Request& request = exchange->request();
  Ask ask = parse_compact(services, request);
  assemble(ask, services, request);
  ask.chat.conversation.messages.push_back(
      {.role = "user", .content = std::string(kCompactQuestion)});
  answer(exchange, services, dialect, {std::move(ask.chat)}, false,
         std::make_shared<CompactWriter>(services.now_ms() / 1000));
}

}  // namespace

void add_side_routes(RouteTable& table, const Services& services, const Dialect& dialect) {
  const auto add = [&](std::string pattern, auto* handler) {
    table.add({"POST", std::move(pattern), Scope::inference, kMaxBodyBytes,
               [&services, &dialect, handler](const auto& exchange) {
                 handler(exchange, services, dialect);
               },
               std::string(dialect.name()), Lane::prompts});
  };
  for (const std::string root : {"/v1/responses", "/responses"}) {
    add(root + "/input_tokens", count);
    add(root + "/compact", compact);
  }
}

}  // namespace strata::api::responses
