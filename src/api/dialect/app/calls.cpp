#include "api/dialect/app/calls.h"

#include "api/limits.h"

namespace strata::api::app {
namespace {

constexpr size_t kMaxCallOutputBytes = 1u << 20;

// A message may come from an import: what is no text is not there.
std::string text_of(const json::object& call, std::string_view key) {
  const json::value* value = call.if_contains(key);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

json::array* calls_of(json::object& data) {
  json::value* calls = data.if_contains("calls");
  return calls ? calls->if_array() : nullptr;
}

json::object* find_call(ThreadMessage& answer, std::string_view id) {
  json::array* calls = calls_of(answer.data);
  if (!calls) return nullptr;
  for (json::value& each : *calls) {
    json::object* call = each.if_object();
    if (call && text_of(*call, "id") == id) return call;
  }
  return nullptr;
}

}  // namespace

void put_outputs(Fields& fields, ThreadMessage& answer) {
  const auto list = fields.array("outputs", kMaxToolCalls);
  if (list.empty()) fields.fail("outputs", "must name a call");
  for (size_t i = 0; i < list.size(); ++i) {
    Fields each(list[i], fmt::format("outputs[{}]", i));
    const std::string id = each.required_text("id");
    auto output = each.text("output");
    if (!output) each.fail("output", "is missing");
    if (output->size() > kMaxCallOutputBytes) {
      each.fail("output",
                fmt::format("has {} bytes, the limit is {}", output->size(), kMaxCallOutputBytes));
    }
    each.refuse_unread();
    json::object* call = find_call(answer, id);
    if (!call) each.fail("id", "is of no call of this answer");
    (*call)["output"] = std::move(*output);
  }
}

void add_turn(const ThreadMessage& message, std::vector<models::Message>& turns) {
  models::Message turn{
      .role = message.role, .content = message.text, .reasoning = message.reasoning};
  std::vector<models::Message> outputs;
  json::object data = message.data;
  const json::array* calls = message.role == "assistant" ? calls_of(data) : nullptr;
  for (size_t i = 0; calls && i < calls->size() && i < kMaxToolCalls; ++i) {
    const json::object* call = (*calls)[i].if_object();
    if (!call || !call->contains("output")) continue;
    const std::string id = text_of(*call, "id");
    turn.tool_calls.push_back(
        {.id = id, .name = text_of(*call, "name"), .arguments = text_of(*call, "arguments")});
    outputs.push_back({.role = "tool",
                       .content = text_of(*call, "output"),
                       .name = text_of(*call, "name"),
                       .tool_call_id = id});
  }
  turns.push_back(std::move(turn));
  for (auto& output : outputs) turns.push_back(std::move(output));
}

}  // namespace strata::api::app
