#include <array>
#include <charconv>

#include "api/dialect/dialect_common.h"
#include "api/dialect/openai/openai.h"
#include "api/limits.h"

namespace strata::api::openai {
namespace {

constexpr size_t kMaxStop = 4;
constexpr int64_t kMaxPriority = 100;

// Sent habitually by clients, without effect on the text of an answer here.
constexpr std::array<std::string_view, 12> kIgnored{
    "user",          "metadata",          "store",
    "service_tier",  "safety_identifier", "prompt_cache_key",
    "prediction",    "verbosity",         "prompt_cache_retention",
    "stream_timing", "reasoning_effort",  "prompt_cache_options"};

constexpr std::string_view kToolHint = "leave tools out; tool calls are not built yet";

std::string read_parts(const json::array& parts, const std::string& path) {
  if (parts.size() > kMaxContentParts) {
    throw FieldError(path, fmt::format("{} has {} parts, the limit is {}", path, parts.size(),
                                       kMaxContentParts));
  }
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) {
    Fields part(parts[i], fmt::format("{}[{}]", path, i));
    const std::string type = part.required_text("type");
    if (type != "text") {
      part.fail("type",
                fmt::format("is '{}'; this server reads text parts only", type.substr(0, 40)),
                "send {\"type\": \"text\", \"text\": …}");
    }
    const auto piece = part.text("text");
    if (!piece) part.fail("text", "is missing");
    part.refuse_unread();
    text += *piece;
  }
  return text;
}

std::string arguments_of(Fields& function) {
  return function.text("arguments").value_or("{}");
}

models::Message read_message(const json::value& value, size_t index) {
  Fields fields(value, fmt::format("messages[{}]", index));
  models::Message message;
  message.role = fields.required_text("role");
  static constexpr std::array<std::string_view, 5> kRoles{"system", "developer", "user",
                                                          "assistant", "tool"};
  if (std::ranges::find(kRoles, message.role) == kRoles.end()) {
    fields.fail("role", "must be system, developer, user, assistant or tool");
  }
  message.name = fields.text("name").value_or("");
  message.reasoning = fields.text("reasoning_content").value_or("");
  message.tool_call_id = fields.text("tool_call_id").value_or("");
  message.tool_calls = read_tool_calls(fields, arguments_of);
  const json::value* content = fields.get("content");
  if (!content) {
    if (message.role != "assistant") fields.fail("content", "is missing");
  } else if (content->is_string()) {
    message.content = std::string(content->get_string());
  } else if (content->is_array()) {
    message.content = read_parts(content->get_array(), fields.path("content"));
  } else {
    fields.fail("content", "must be a string or an array of parts");
  }
  std::vector<std::string> none;
  static constexpr std::array<std::string_view, 3> kEmpty{"refusal", "annotations", "audio"};
  fields.ignore_unread(kEmpty, none);  // of our own answers, sent back as history
  return message;
}

void refuse_unbuilt(Fields& fields) {
  for (const std::string_view key : {"tools", "functions"}) {
    if (!fields.array(key, 4096).empty()) {
      fields.fail(key, "is not supported yet", std::string(kToolHint));
    }
  }
  for (const std::string_view key : {"tool_choice", "function_call"}) {
    const json::value* choice = fields.get(key);
    if (choice && !(choice->is_string() &&
                    (choice->get_string() == "none" || choice->get_string() == "auto"))) {
      fields.fail(key, "is not supported yet", std::string(kToolHint));
    }
  }
  fields.boolean("parallel_tool_calls");  // says nothing while there are no tools
  if (auto format = fields.object("response_format")) {
    if (format->required_text("type") != "text") {
      format->fail("type", "must be text: answers cannot be constrained yet",
                   "ask for JSON in the prompt and check the answer");
    }
  }
  const auto modalities = fields.texts("modalities", 4, 16);
  if (modalities && *modalities != std::vector<std::string>{"text"}) {
    fields.fail("modalities", "must be [\"text\"]");
  }
}

void read_logit_bias(Fields& fields, SamplingOptions& options) {
  const json::value* value = fields.get("logit_bias");
  if (!value) return;
  const json::object* object = value->if_object();
  if (!object) fields.fail("logit_bias", "must be an object of token id: bias");
  if (object->size() > kMaxLogitBias) {
    fields.fail("logit_bias",
                fmt::format("has {} entries, the limit is {}", object->size(), kMaxLogitBias));
  }
  Fields biases(*value, "logit_bias");
  for (const auto& member : *object) {
    const std::string_view key = member.key();
    int32_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size() || id < 0) {
      biases.fail(key, "is no token id");
    }
    options.logit_bias[id] = biases.real(key, -100, 100).value_or(0.0f);
  }
}

}  // namespace

void read_stream(Fields& fields, Parsed& parsed) {
  parsed.stream = fields.boolean("stream").value_or(false);
  auto options = fields.object("stream_options");
  if (!options) return;
  if (!parsed.stream) fields.fail("stream_options", "is only for stream: true");
  parsed.include_usage = options->boolean("include_usage").value_or(false);
  static constexpr std::array<std::string_view, 1> kIgnorable{"include_obfuscation"};
  options->ignore_unread(kIgnorable, parsed.requests.front().ignored);
}

void read_sampling(Fields& fields, ChatRequest& request, bool completion) {
  request.model = read_model_name(fields, "model");
  SamplingOptions& sampling = request.sampling;
  read_common_sampling(fields, sampling);
  sampling.temperature = fields.real("temperature", 0, 2);
  sampling.presence_penalty = fields.real("presence_penalty", -2, 2);
  sampling.frequency_penalty = fields.real("frequency_penalty", -2, 2);
  // vLLM's and TGI's name
  if (const auto penalty = read_parameter_number(fields, "repetition_penalty", "repeat_penalty")) {
    sampling.repeat_penalty = *penalty;
  }
  read_stop(fields, sampling, kMaxStop, kMaxStopBytes);
  read_logit_bias(fields, request.sampling);
  request.n = static_cast<int32_t>(fields.integer("n", 1, kMaxChoices).value_or(1));
  request.ignore_end_tokens = fields.boolean("ignore_eos").value_or(false);
  const auto priority = fields.integer("priority", -kMaxPriority, kMaxPriority);
  request.priority = static_cast<int32_t>(priority.value_or(0));
  const auto max_tokens = fields.integer("max_tokens", completion ? 0 : 1, 1 << 30);
  if (max_tokens) request.sampling.max_tokens = static_cast<int32_t>(*max_tokens);
}

Parsed parse_chat(const std::string& body) {
  const json::value document = read_body(body);
  Fields fields(document);
  Parsed parsed;
  ChatRequest& request = parsed.requests.emplace_back();
  read_sampling(fields, request, false);
  const auto newer = fields.integer("max_completion_tokens", 1, 1 << 30);
  if (newer) {
    if (request.sampling.max_tokens && *request.sampling.max_tokens != *newer) {
      fields.fail("max_tokens", "and max_completion_tokens differ", "send only one of them");
    }
    request.sampling.max_tokens = static_cast<int32_t>(*newer);
  }
  const auto messages = fields.array("messages", kMaxMessages);
  if (messages.empty()) fields.fail("messages", "must have at least one message");
  for (size_t i = 0; i < messages.size(); ++i) {
    request.conversation.messages.push_back(read_message(messages[i], i));
  }
  const bool logprobs = fields.boolean("logprobs").value_or(false);
  const auto top = fields.integer("top_logprobs", 0, kMaxTopLogprobs);
  if (top && !logprobs) fields.fail("top_logprobs", "needs logprobs: true");
  if (logprobs) request.n_logprobs = static_cast<int32_t>(top.value_or(0));
  if (auto variables = fields.object("chat_template_kwargs")) {
    request.conversation.variables = fields.get("chat_template_kwargs")->get_object();
  }
  refuse_unbuilt(fields);
  read_stream(fields, parsed);
  fields.ignore_unread(kIgnored, parsed.requests.front().ignored);
  return parsed;
}

namespace {

struct Prompt {
  std::string text;
  std::vector<int32_t> ids;
};

// A string, strings, ids, or arrays of ids.
std::vector<Prompt> read_prompts(Fields& fields) {
  const json::value* value = fields.get("prompt");
  if (!value) fields.fail("prompt", "is missing");
  if (value->is_string()) return {{std::string(value->get_string()), {}}};
  if (!value->is_array() || value->get_array().empty()) {
    fields.fail("prompt", "must be a string, an array of strings, or token ids");
  }
  const json::array& items = value->get_array();
  if (items.front().is_number()) return {{"", read_ids(items, fields, "prompt")}};
  if (items.size() > kMaxPrompts) {
    fields.fail("prompt",
                fmt::format("has {} prompts, the limit is {}", items.size(), kMaxPrompts));
  }
  std::vector<Prompt> prompts;
  for (const json::value& item : items) {
    if (item.is_string()) {
      prompts.push_back({std::string(item.get_string()), {}});
    } else if (item.is_array() && !item.get_array().empty()) {
      prompts.push_back({"", read_ids(item.get_array(), fields, "prompt")});
    } else {
      fields.fail("prompt", "must be a string, an array of strings, or token ids");
    }
  }
  return prompts;
}

}  // namespace

Parsed parse_completion(const std::string& body) {
  const json::value document = read_body(body);
  Fields fields(document);
  ChatRequest request;
  request.raw = true;
  read_sampling(fields, request, true);
  if (!request.sampling.max_tokens) request.sampling.max_tokens = 16;
  if (const auto best_of = fields.integer("best_of", 0, 20); best_of && *best_of != request.n) {
    fields.fail("best_of", "must equal n: candidates are not ranked here", "leave best_of out");
  }
  if (const auto suffix = fields.text("suffix"); suffix && !suffix->empty()) {
    fields.fail("suffix", "is not supported yet", "put all of the text into prompt");
  }
  if (const auto logprobs = fields.integer("logprobs", 0, 5)) {
    request.n_logprobs = static_cast<int32_t>(*logprobs);
  }
  Parsed parsed;
  parsed.logprobs = request.n_logprobs >= 0;
  parsed.echo = fields.boolean("echo").value_or(false);
  auto prompts = read_prompts(fields);
  const size_t n_answers = prompts.size() * static_cast<size_t>(request.n);
  if (n_answers > kMaxAnswers) {
    fields.fail("n", fmt::format("times {} prompts is {} answers, the limit is {}", prompts.size(),
                                 n_answers, kMaxAnswers));
  }
  for (Prompt& prompt : prompts) {
    ChatRequest one = request;
    one.prompt = prompt.text;
    one.prompt_ids = std::move(prompt.ids);
    // Echoed ids are written as the text that they stand for, which comes with their log-probs.
    one.prompt_logprobs = parsed.echo && (request.n_logprobs >= 0 || !one.prompt_ids.empty());
    if (one.prompt_logprobs && one.n_logprobs < 0) one.n_logprobs = 0;
    parsed.prompts.push_back(std::move(prompt.text));
    parsed.requests.push_back(std::move(one));
  }
  read_stream(fields, parsed);
  fields.ignore_unread(kIgnored, parsed.requests.front().ignored);
  return parsed;
}

}  // namespace strata::api::openai
