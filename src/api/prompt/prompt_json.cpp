#include "api/prompt/prompt_json.h"

namespace strata::api {
namespace {

json::value or_null(const std::optional<int64_t>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}

}  // namespace

json::object as_json(const PromptLabel& label) {
  return {{"label", label.label},
          {"version", label.version},
          {"trial", or_null(label.trial)},
          {"trial_percent", label.trial_percent},
          {"previous", or_null(label.previous)},
          {"changed", label.changed}};
}

json::object as_json(const PromptInfo& prompt) {
  json::array labels;
  for (const PromptLabel& label : prompt.labels) labels.push_back(as_json(label));
  return {{"object", "prompt"},        {"name", prompt.name},       {"latest", prompt.latest},
          {"created", prompt.created}, {"changed", prompt.changed}, {"labels", std::move(labels)}};
}

json::object as_json(const PromptVersion& version, bool with_content) {
  json::object out{{"object", "prompt.version"}, {"name", version.name},
                   {"version", version.number},  {"hash", version.hash},
                   {"note", version.note},       {"author", version.author},
                   {"created", version.created}};
  if (!with_content) return out;
  for (auto& [key, value] : to_json_object(version.content)) out[key] = std::move(value);
  return out;
}

json::array as_json(const std::vector<models::Message>& messages) {
  json::array out;
  for (const models::Message& message : messages) {
    out.push_back(json::object{{"role", message.role}, {"content", message.content}});
  }
  return out;
}

}  // namespace strata::api
