#include "api/access/key_settings.h"

#include <algorithm>

#include "api/dialect/dialect.h"
#include "api/limits.h"
#include "api/request_settings.h"
#include "core/utf8.h"
#include "models/hub/catalog.h"

namespace strata::api {
namespace {

constexpr int64_t kMostTokens = 1 << 30;

void refuse(const std::string& what, std::string hint = {}) {
  throw Error(Code::invalid_argument, what, std::move(hint));
}

std::string text_of_value(const json::value& value, const Fields& fields, std::string_view key) {
  if (value.is_string()) return std::string(value.get_string());
  if (!value.is_number()) fields.fail(key, "must be a number, a text, or a list of texts");
  return to_json(value);
}

models::Parameters read_parameters_of(Fields& fields) {
  models::Parameters parameters;
  if (!fields.object("settings")) return parameters;
  for (const auto& [key, value] : fields.get("settings")->get_object()) {
    const std::string name(key);
    if (const json::array* list = value.if_array()) {
      for (const json::value& each : *list) {
        parameters.emplace(name, text_of_value(each, fields, "settings." + name));
      }
    } else {
      parameters.emplace(name, text_of_value(value, fields, "settings." + name));
    }
  }
  return parameters;
}

// Where a system text has no place, or a template that comes along may pass it over.
bool has_place_for_system(const ChatRequest& request) {
  return !request.raw && request.prompt_ids.empty() && request.suffix.empty() &&
         request.prompt_front.empty() && request.chat_template.empty() &&
         !request.conversation.variables.contains("messages");  // a template reads these instead
}

}  // namespace

void check(const KeySettings& settings) {
  if (settings.system.size() > kMaxKeySystemBytes) {
    refuse(fmt::format("the key's system text has {} bytes, the limit is {}",
                       settings.system.size(), kMaxKeySystemBytes));
  }
  if (!is_valid_utf8(settings.system)) refuse("the key's system text is not valid UTF-8");
  read_settings(settings.parameters);
  if (settings.models.size() > kMaxKeyModels) {
    refuse(fmt::format("the key names {} models, the limit is {}", settings.models.size(),
                       kMaxKeyModels));
  }
  for (const std::string& model : settings.models) {
    if (model.empty() || model.size() > kMaxModelNameBytes || !is_valid_utf8(model)) {
      refuse(fmt::format("a model's name has 1 to {} bytes of text, one of the key's has {}",
                         kMaxModelNameBytes, model.size()));
    }
  }
  if (settings.max_tokens && (*settings.max_tokens < 1 || *settings.max_tokens > kMostTokens)) {
    refuse(fmt::format("max_tokens is {}, it must be from 1 to {}", *settings.max_tokens,
                       kMostTokens));
  }
}

KeySettings read_key_settings(Fields& fields) {
  KeySettings settings;
  settings.system = fields.text("system").value_or("");
  settings.parameters = read_parameters_of(fields);
  for (const json::value& each : fields.array("models", kMaxKeyModels)) {
    if (!each.is_string()) fields.fail("models", "has an entry that is no text");
    settings.models.emplace_back(each.get_string());
  }
  if (const auto most = fields.integer("max_tokens", 1, kMostTokens)) {
    settings.max_tokens = static_cast<int32_t>(*most);
  }
  check(settings);
  return settings;
}

json::object as_json(const KeySettings& settings) {
  json::object parameters;
  for (const auto& [name, value] : settings.parameters) {
    if (!parameters.contains(name)) parameters[name] = json::array{};
    parameters[name].as_array().push_back(json::string(value));
  }
  json::array models;
  for (const std::string& model : settings.models) models.push_back(json::string(model));
  return {{"system", settings.system},
          {"settings", std::move(parameters)},
          {"models", std::move(models)},
          {"max_tokens", settings.max_tokens ? json::value(*settings.max_tokens) : nullptr}};
}

bool may_ask(const KeySettings& settings, std::string_view model) {
  const auto is_it = [asked = model_label(model)](const std::string& each) {
    if (model_label(each) == asked) return true;
    const auto* entry = models::find_in_catalog(each);
    return entry != nullptr && entry->name == asked;
  };
  return settings.models.empty() || std::ranges::any_of(settings.models, is_it);
}

void check_model(const KeySettings& settings, std::string_view key_name, std::string_view model) {
  if (may_ask(settings, model)) return;
  std::string names;
  for (const std::string& each : settings.models) names += (names.empty() ? "" : ", ") + each;
  throw Error(Code::permission_denied,
              fmt::format("the key '{}' may not ask the model {}", key_name, model_label(model)),
              "it may ask " + names);
}

std::vector<std::string> put_into(const KeySettings& settings, std::string_view key_name,
                                  ChatRequest& request) {
  check_model(settings, key_name, request.model);
  std::vector<std::string> notices;
  if (request.load_only) return notices;
  if (!settings.system.empty()) {
    if (!has_place_for_system(request)) {
      throw Error(Code::permission_denied,
                  fmt::format("the key '{}' has a system text, and this request leaves no place "
                              "for it: it brings a prompt or a template of its own",
                              key_name),
                  "send a conversation of messages, or use a key without a system text");
    }
    request.system_front = settings.system;
    request.prompt.clear();  // of a model without a template, which is then refused
    notices.push_back(
        fmt::format("the system text of the key '{}' stands before the conversation", key_name));
  }
  const auto asked = request.sampling.max_tokens;
  apply_where_silent(read_settings(settings.parameters), request);
  auto& tokens = request.sampling.max_tokens;
  if (!settings.max_tokens) return notices;
  if (!tokens || *tokens < 0 || *tokens > *settings.max_tokens) tokens = settings.max_tokens;
  if (asked && *asked != *tokens) {
    const std::string wish = *asked < 0 ? "no limit was" : fmt::format("{} were", *asked);
    notices.push_back(fmt::format("answers of the key '{}' have at most {} tokens, {} asked for",
                                  key_name, *settings.max_tokens, wish));
  }
  return notices;
}

}  // namespace strata::api
