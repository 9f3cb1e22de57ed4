// /apply-template: what a chat's prompt would be, in the words of the model's template. A last
// message of the assistant's stays open here, as on llama.cpp's server; a chat of ours goes on with
// it only where continue_final_message says so, as OpenAI's begins another turn.
#include "api/dialect/dialect_common.h"
#include "api/dialect/llamacpp/llamacpp.h"
#include "api/dialect/openai/openai.h"
#include "api/dialect/pick_model.h"

namespace strata::api::llamacpp {
namespace {

class PromptWriter final : public AnswerWriter {
 public:
  std::string_view stream_type() const override { return "application/json"; }
  void progress(const ChatEvent& event, std::string& out) override {
    (void)out;
    if (event.start) prompt_ = event.start->prompt;
  }
  void event(const ChatEvent&, std::string&) override {}
  void close(const Totals&, std::string&) override {}
  void error(const Error&, std::string&) override {}
  Response whole(const std::vector<WholeChoice>&, const Totals&) override {
    return json_response(json::object{{"prompt", prompt_}});
  }

 private:
  std::string prompt_;
};

}  // namespace

void apply_template(const std::shared_ptr<Exchange>& exchange, const Services& services,
                    const Dialect& dialect) {
  const json::value given = read_body(exchange->request().body);
  Fields fields(given);
  // The rest is a chat as OpenAI's interface writes it.
  json::object body = given.as_object();
  body["model"] = read_model_or_pick(fields, services, exchange->request().owner, Purpose::chat);
  const auto begins = fields.boolean("add_generation_prompt");
  auto parsed = openai::parse_chat(to_json(body));
  ChatRequest& request = parsed.requests.front();
  request.prompt_only = true;
  request.conversation.add_generation_prompt = begins.value_or(true);
  const models::Message& last = request.conversation.messages.back();
  // Its text is the beginning of the answer, unless the request wants no beginning.
  if (last.role == "assistant" && last.tool_calls.empty() && begins.value_or(true)) {
    request.continue_last = true;
  }
  answer(exchange, services, dialect, std::move(parsed.requests), false,
         std::make_shared<PromptWriter>());
}

}  // namespace strata::api::llamacpp
