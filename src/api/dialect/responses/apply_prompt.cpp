#include "api/dialect/responses/responses.h"
#include "api/prompt/registry.h"

namespace strata::api::responses {
namespace {

// A value may come as a part of a message.
json::value value_of(Fields& variables, std::string_view key, const json::value& value) {
  const json::object* part = value.if_object();
  const json::value* type = part ? part->if_contains("type") : nullptr;
  if (!type || !type->is_string()) return value;
  if (*type != "input_text") {
    refuse_unbuilt(fmt::format("{} is no text", variables.path(key)), "give texts only");
  }
  Fields fields(value, variables.path(key));
  return json::string(fields.text("text").value_or(""));
}

}  // namespace

void apply_prompt(json::value& document, Ask& ask, const Services& services,
                  const std::string& owner) {
  Fields request(document);
  auto prompt = request.object("prompt");
  if (!prompt) return;
  if (!services.prompts) {
    throw Error(Code::failed_precondition, "prompt: this server has no registry of prompts",
                "send the text as instructions and input");
  }
  const std::string id = prompt->required_text("id");
  const std::string selector = prompt->text("version").value_or("");
  json::object values;
  if (auto variables = prompt->object("variables")) {
    for (const auto& [key, value] : prompt->get("variables")->get_object()) {
      values[key] = value_of(*variables, key, value);
    }
  }
  prompt->refuse_unread();
  const PromptVersion version = services.prompts->get(id, selector, owner);
  ask.prompt = render(version.content, values);
  ask.mirror["prompt"] = {
      {"id", id}, {"version", std::to_string(version.number)}, {"variables", std::move(values)}};
  json::object& fields = document.get_object();
  for (const auto& [key, value] : version.content.settings) {
    const json::value* said = fields.if_contains(key);
    if (!said || said->is_null()) fields[key] = value;
  }
}

}  // namespace strata::api::responses
