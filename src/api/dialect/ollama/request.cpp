// Reads /api/chat and /api/generate. Nothing is passed over in silence: a field is honoured,
// refused, or named as ignored.
#include <array>

#include "api/dialect/dialect_common.h"
#include "api/dialect/ollama/ollama.h"
#include "api/limits.h"
#include "core/ascii.h"
#include "models/chat/chat_template.h"
#include "models/hub/modelfile.h"
#include "models/parameters.h"

namespace strata::api::ollama {
namespace {

// Whether an answer that fills the context goes on without its beginning: it never does.
constexpr std::array<std::string_view, 1> kIgnored{"shift"};

// They say how to compute; here that is the server's own business and changes no answer. One that
// asks for what is so anyway is met.
void ignore_options(Fields& options, std::vector<std::string>& ignored) {
  for (const auto& rule : models::parameter_rules()) {
    if (rule.use != models::ParameterUse::ignored || !options.has(rule.name)) continue;
    const bool is_met = to_json(*options.get(rule.name)) == rule.anyway;
    // Nothing is shifted out of a context while an answer is written.
    if (!is_met && rule.name != "num_keep") ignored.push_back(options.path(rule.name));
  }
  options.refuse_unread();
}

void refuse_list(Fields& fields, std::string_view key, std::string hint) {
  if (!fields.array(key, kMaxMessages).empty()) {
    fields.fail(key, "is not supported yet", std::move(hint));
  }
}

void read_logprobs(Fields& fields, Asked& asked) {
  const bool wanted = asked.logprobs = fields.boolean("logprobs").value_or(false);
  const int64_t top = fields.integer("top_logprobs", 0, kMaxTopLogprobs).value_or(0);
  if (wanted) asked.request.n_logprobs = static_cast<int32_t>(top);
}

// What chat and generate have in common.
void read_shared(Fields& fields, Asked& asked) {
  asked.request.model = read_model(fields);
  asked.stream = fields.boolean("stream").value_or(true);
  asked.request.keep_alive_ms = read_keep_alive(fields);
  read_options(fields, asked.request);
  const auto truncate = fields.boolean("truncate");
  if (truncate && !asked.request.context_policy) {
    asked.request.context_policy = *truncate ? ContextPolicy::truncate : ContextPolicy::error;
  }
  read_think(fields, asked.request);
  read_logprobs(fields, asked);
  read_format(fields, asked.request);
}

// A request without a question loads its model, or unloads it.
void become_load(Asked& asked) {
  asked.request.load_only = true;
  asked.unload = asked.request.keep_alive_ms == 0;
}

// The ids that an answer before ended with: what was said so far.
void read_context(Fields& fields, ChatRequest& request) {
  const json::value* ids = fields.get("context");
  if (ids == nullptr) return;
  if (!ids->is_array()) fields.fail("context", "must be an array of token ids");
  if (ids->get_array().empty()) return;
  if (request.raw) fields.fail("context", "and raw leave no place for each other");
  request.prompt_front.push_back({.ids = read_ids(ids->get_array(), fields, "context")});
}

// The prompt is then the text before a gap, and no conversation.
void read_suffix(Fields& fields, ChatRequest& request, const std::string& system) {
  request.suffix = fields.text("suffix").value_or("");
  if (request.suffix.empty()) return;
  const bool more = !system.empty() || !request.chat_template.empty();
  if (more || !request.prompt_front.empty()) {
    fields.fail("suffix", "leaves no place for system, template or context",
                "send prompt and suffix only");
  }
  request.raw = true;
}

std::string template_of(Fields& fields) {
  const std::string source = fields.text("template").value_or("");
  if (source.empty()) return source;
  if (models::is_go_template(source)) {
    fields.fail("template", "is in Go's language, Strata reads Jinja",
                "leave template out: the model's file carries its own");
  }
  models::ChatTemplate::parse(source, "", "", request_template_limits());
  return source;
}

std::string arguments_of(Fields& function) {
  return function.object("arguments") ? to_json(*function.get("arguments")) : "{}";
}

std::string read_role(Fields& fields) {
  std::string role = lower_case(fields.required_text("role"));  // some clients write "User"
  static constexpr std::array<std::string_view, 4> kRoles{"system", "user", "assistant", "tool"};
  if (std::ranges::find(kRoles, role) == kRoles.end()) {
    fields.fail("role", "must be system, user, assistant or tool");
  }
  return role;
}

// Whose result a message of the role tool is: "tool_name", or "name" as older clients write.
std::string read_tool_name(Fields& fields, std::string_view role) {
  std::string name = fields.text("tool_name").value_or("");
  if (role != "tool") return name;
  const std::string older = fields.text("name").value_or("");
  if (name.empty()) return older;
  if (!older.empty() && older != name) {
    fields.fail("name", "and tool_name differ", "send tool_name only");
  }
  return name;
}

models::Message read_message(const json::value& value, size_t index) {
  Fields fields(value, fmt::format("messages[{}]", index));
  models::Message message;
  message.role = read_role(fields);
  message.reasoning = fields.text("thinking").value_or("");
  message.name = read_tool_name(fields, message.role);
  message.tool_call_id = fields.text("tool_call_id").value_or("");
  message.tool_calls = read_tool_calls(fields, arguments_of);
  const auto content = fields.text("content");
  if (!content && message.tool_calls.empty() && message.reasoning.empty()) {
    fields.fail("content", "is missing");
  }
  message.content = content.value_or("");
  refuse_list(fields, "images", "send text only");
  fields.refuse_unread();
  return message;
}

}  // namespace

void read_options(Fields& fields, ChatRequest& request) {
  Fields options = fields.object_or_empty("options");
  SamplingOptions& sampling = request.sampling;
  read_common_sampling(options, sampling);
  const auto number = [&](std::string_view name) {
    return read_parameter_number(options, name, name);
  };
  sampling.temperature = number("temperature");
  sampling.presence_penalty = number("presence_penalty");
  sampling.frequency_penalty = number("frequency_penalty");
  request.context_policy = read_context_policy(options, "context_policy");  // ours
  read_stop(options, sampling, models::kMaxStopTexts, models::kMaxStopTextBytes);
  if (const auto limit = read_parameter_integer(options, "num_predict", "num_predict")) {
    sampling.max_tokens = std::max(*limit, -1);
  }
  // 0 is Ollama's word for "whatever the model has".
  if (options.integer("num_ctx", INT64_MIN, INT64_MAX) != 0) {
    request.context = read_parameter_integer(options, "num_ctx", "num_ctx");
  }
  if (const auto z = options.number("tfs_z", 0, 1); z && *z != 1) {
    options.fail("tfs_z", "is not supported; 1 (off) is", "use top_p or min_p");
  }
  if (!options.boolean("penalize_newline").value_or(true)) {
    options.fail("penalize_newline", "is false, and a new line is a token like any other here",
                 "leave it out, or lower repeat_penalty");
  }
  ignore_options(options, request.ignored);
  fields.know(options);
}

std::vector<models::Message> read_messages(Fields& fields) {
  std::vector<models::Message> messages;
  const auto items = fields.array("messages", kMaxMessages);
  for (size_t i = 0; i < items.size(); ++i) messages.push_back(read_message(items[i], i));
  return messages;
}

Asked parse_chat(const std::string& body) {
  const json::value document = read_body(body);
  Fields fields(document);
  Asked asked;
  asked.chat = true;
  read_shared(fields, asked);
  asked.request.conversation.messages = read_messages(fields);
  asked.request.model_messages = fields.boolean("model_messages").value_or(true);  // ours
  read_tools(fields, asked.request);
  for (const char* key : {"prompt", "system", "template", "suffix", "context", "images", "raw"}) {
    refuse_if_given(fields, key, "send messages, or ask /api/generate");
  }
  fields.ignore_unread(kIgnored, asked.request.ignored);
  if (asked.request.conversation.messages.empty()) become_load(asked);
  return asked;
}

Asked parse_generate(const std::string& body) {
  const json::value document = read_body(body);
  Fields fields(document);
  Asked asked;
  ChatRequest& request = asked.request;
  read_shared(fields, asked);
  request.prompt = fields.text("prompt").value_or("");
  request.raw = fields.boolean("raw").value_or(false);
  const std::string system = fields.text("system").value_or("");
  request.chat_template = template_of(fields);
  if (request.raw && !(system.empty() && request.chat_template.empty())) {
    fields.fail("raw", "is true, which leaves no place for system or template",
                "write them into prompt, or leave raw out");
  }
  read_context(fields, request);
  refuse_list(fields, "images", "send text only");
  read_suffix(fields, request, system);
  fields.ignore_unread(kIgnored, request.ignored);
  asked.context = request.tell_start = request.token_ids = !request.raw;
  if (request.prompt.empty() && request.suffix.empty()) {
    become_load(asked);
  } else if (!request.raw) {
    auto& messages = request.conversation.messages;
    if (!system.empty()) messages.push_back({.role = "system", .content = system});
    messages.push_back({.role = "user", .content = request.prompt});
    if (!system.empty()) request.prompt.clear();  // a base model has no place for it: refused
  }
  return asked;
}

}  // namespace strata::api::ollama
