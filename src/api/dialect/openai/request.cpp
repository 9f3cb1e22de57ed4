#include <algorithm>
#include <array>

#include "api/dialect/dialect_common.h"
#include "api/dialect/llamacpp_fields.h"
#include "api/dialect/openai/openai.h"
#include "api/dialect/openai/request_parts.h"
#include "api/limits.h"
#include "core/utf8.h"

namespace strata::api::openai {
namespace {

constexpr size_t kMaxStop = 4;
constexpr size_t kMaxEndUserBytes = 512;
constexpr size_t kMaxMetadataKey = 64, kMaxMetadataValue = 512;  // characters
constexpr int64_t kMaxPriority = 100;
constexpr double kMaxBias = 100;
constexpr int32_t kTierPriority = 50;  // how far the tiers flex and priority are from default

// Sent habitually by clients, without effect on the text of an answer here.
constexpr std::array<std::string_view, 3> kIgnored{"prompt_cache_key", "prompt_cache_retention",
                                                   "prompt_cache_options"};

void read_prediction(Fields& fields, ChatRequest& request) {
  auto prediction = fields.object("prediction");
  if (!prediction) return;
  if (prediction->required_text("type") != "content") prediction->fail("type", "must be content");
  const json::value* content = prediction->get("content");
  if (!content) prediction->fail("content", "is missing");
  request.prediction = read_content(*content, prediction->path("content"), false, request.ignored);
  prediction->refuse_unread();
}

}  // namespace

Tier read_tier(Fields& fields) {
  const std::string name = fields.text("service_tier").value_or("auto");
  if (name == "flex") return {name, kTierPriority};
  if (name == "priority" || name == "fast") return {name, -kTierPriority};
  if (name != "auto" && name != "default" && name != "scale") {
    fields.fail("service_tier", "must be auto, default, flex, scale, priority or fast");
  }
  return {};
}

json::object read_metadata(Fields& fields) {
  auto pairs = fields.object("metadata");
  if (!pairs) return {};
  const json::object& object = fields.get("metadata")->get_object();
  if (object.size() > kMaxMetadataPairs) {
    fields.fail("metadata",
                fmt::format("has {} pairs, the limit is {}", object.size(), kMaxMetadataPairs));
  }
  for (const auto& [key, value] : object) {
    if (!value.is_string()) pairs->fail(key, "must be a string");
    if (n_code_points(key) > kMaxMetadataKey) {
      pairs->fail(key, fmt::format("has a name of more than {} characters", kMaxMetadataKey));
    }
    if (n_code_points(value.get_string()) > kMaxMetadataValue) {
      pairs->fail(key, fmt::format("has more than {} characters", kMaxMetadataValue));
    }
  }
  return object;
}

std::string read_end_user(Fields& fields) {
  const auto older = fields.text("user");
  const std::string name = fields.text("safety_identifier").value_or(older.value_or(""));
  if (name.size() > kMaxEndUserBytes) {
    fields.fail(older ? "user" : "safety_identifier",
                fmt::format("has {} bytes, the limit is {}", name.size(), kMaxEndUserBytes));
  }
  return name;
}

void read_stream(Fields& fields, Parsed& parsed) {
  parsed.stream = fields.boolean("stream").value_or(false);
  auto options = fields.object("stream_options");
  if (!options) return;
  if (!parsed.stream) fields.fail("stream_options", "is only for stream: true");
  parsed.include_usage = options->boolean("include_usage").value_or(false);
  parsed.obfuscate = options->boolean("include_obfuscation").value_or(false);
  options->refuse_unread();
}

void read_drawing(Fields& fields, ChatRequest& request) {
  SamplingOptions& sampling = request.sampling;
  read_common_sampling(fields, sampling);
  sampling.temperature = fields.real("temperature", 0, 2);
  sampling.presence_penalty = fields.real("presence_penalty", -2, 2);
  sampling.frequency_penalty = fields.real("frequency_penalty", -2, 2);
  // vLLM's and TGI's name
  if (const auto penalty = read_parameter_number(fields, "repetition_penalty", "repeat_penalty")) {
    sampling.repeat_penalty = *penalty;
  }
  read_logit_bias(fields, sampling, kMaxBias);
  request.ignore_end_tokens = fields.boolean("ignore_eos").value_or(false);
  read_llamacpp_fields(fields, request);
}

namespace {

// Every name for it that is given says the same; -1: until the model ends the answer. llama.cpp's
// may be 0, which is to read the prompt only, and -2, its other word for -1.
void read_lengths(Fields& fields, SamplingOptions& sampling, bool completion) {
  std::string_view by;
  for (const std::string_view key : {"max_tokens", "max_completion_tokens", "n_predict"}) {
    if (completion && key == "max_completion_tokens") continue;
    const bool is_llamacpps = key == "n_predict";
    auto length = fields.integer(key, is_llamacpps ? -2 : -1, 1 << 30);
    if (!length) continue;
    length = std::max<int64_t>(*length, -1);
    const int64_t least = completion || is_llamacpps ? 0 : 1;
    if (*length != -1 && *length < least) {
      fields.fail(key,
                  fmt::format("is {}, it must be at least {}, or -1 for no limit", *length, least));
    }
    if (sampling.max_tokens && *sampling.max_tokens != *length) {
      fields.fail(by, fmt::format("and {} differ", key), "send only one of them");
    }
    sampling.max_tokens = static_cast<int32_t>(*length);
    by = key;
  }
}

}  // namespace

void read_sampling(Fields& fields, Parsed& parsed, ChatRequest& request, bool completion) {
  if (fields.has("model")) request.model = read_model_name(fields, "model");
  read_drawing(fields, request);
  read_stop(fields, request.sampling, kMaxStop, kMaxStopBytes);
  read_lengths(fields, request.sampling, completion);
  check_vllm_fields(fields, completion);
  read_prediction(fields, request);
  request.n = static_cast<int32_t>(read_alias(fields, {"n", "n_cmpl"}, 1, kMaxChoices).value_or(1));
  request.end_user = read_end_user(fields);
  parsed.metadata = read_metadata(fields);
  parsed.timings = fields.boolean("timings_per_token").value_or(false);  // llama.cpp's
  const Tier tier = read_tier(fields);
  parsed.service_tier = tier.name;
  request.priority = tier.priority;
  if (const auto priority = fields.integer("priority", -kMaxPriority, kMaxPriority)) {
    request.priority = static_cast<int32_t>(*priority);
  }
}

// What clients send by habit and has no effect here.
void end_fields(Fields& fields, std::vector<std::string>& ignored) {
  pass_over_llamacpp_fields(fields, ignored);
  fields.ignore_unread(kIgnored, ignored);
}

namespace {

void read_modalities(Fields& fields) {
  const auto modalities = fields.texts("modalities", 4, 16);
  if (modalities && *modalities != std::vector<std::string>{"text"}) {
    fields.fail("modalities", "must be [\"text\"]");
  }
}

void read_logprobs(Fields& fields, ChatRequest& request) {
  const auto wanted = fields.boolean("logprobs");
  const auto top = fields.integer("top_logprobs", 0, kMaxTopLogprobs);
  if (top && wanted != true) fields.fail("top_logprobs", "needs logprobs: true");
  if (wanted == true) request.n_logprobs = static_cast<int32_t>(top.value_or(0));
  if (wanted == false) return read_n_probs(fields, "logprobs", 0, request);
  read_n_probs(fields, "top_logprobs", top, request);
}

void read_effort(Fields& fields, models::ReasoningWish& wish) {
  static constexpr std::array<std::string_view, 7> kEfforts{"none", "minimal", "low", "medium",
                                                            "high", "xhigh",   "max"};
  const auto effort = fields.text("reasoning_effort");
  if (!effort) return;
  if (std::ranges::find(kEfforts, *effort) == kEfforts.end()) {
    fields.fail("reasoning_effort", "must be none, minimal, low, medium, high, xhigh or max");
  }
  wish.think = *effort != "none";
  if (*wish.think) wish.effort = *effort;
}

// What vLLM and Hugging Face's servers let a caller say of the template.
void read_template(Fields& fields, ChatRequest& request) {
  models::Conversation& conversation = request.conversation;
  if (fields.object("chat_template_kwargs")) {
    conversation.variables = fields.get("chat_template_kwargs")->get_object();
  }
  // For templates that know it, as an effort is.
  if (const auto verbosity = fields.text("verbosity")) {
    if (*verbosity != "low" && *verbosity != "medium" && *verbosity != "high") {
      fields.fail("verbosity", "must be low, medium or high");
    }
    conversation.variables["verbosity"] = *verbosity;
  }
  request.chat_template = fields.text("chat_template").value_or("");
  for (const json::value& document : fields.array("documents", kMaxDocuments)) {
    if (!document.is_object()) fields.fail("documents", "must be an array of objects");
    conversation.documents.push_back(document);
  }
  request.context_policy = read_context_policy(fields, "context_policy");  // ours
  request.continue_last = fields.boolean("continue_final_message").value_or(false);
  if (request.continue_last && conversation.messages.back().role != "assistant") {
    fields.fail("continue_final_message", "is true, and the last message is not an assistant's");
  }
  const auto prompt = fields.boolean("add_generation_prompt");
  if (prompt == true && request.continue_last) {
    fields.fail("add_generation_prompt", "and continue_final_message are both true");
  }
  conversation.add_generation_prompt = prompt.value_or(!request.continue_last);
}

}  // namespace

Parsed parse_chat(const std::string& body) {
  const json::value document = read_body(body);
  Fields fields(document);
  Parsed parsed;
  ChatRequest& request = parsed.requests.emplace_back();
  read_sampling(fields, parsed, request, false);
  request.conversation.messages = read_messages(fields, request.ignored);
  read_logprobs(fields, request);
  read_effort(fields, request.reasoning);
  read_template(fields, request);
  parsed.function_form = read_tools(fields, request);
  request.call_fragments = true;
  read_output_rule(fields, request);
  // Some templates tell the model the schema, and what it is for.
  const bool bound = request.output.kind != inference::OutputRule::Kind::none;
  if (const json::value* format = fields.get("response_format"); format && bound) {
    request.conversation.variables.emplace("response_format", *format);
  }
  read_modalities(fields);
  parsed.store = fields.boolean("store").value_or(false);
  if (parsed.store) parsed.messages = document.at("messages").as_array();
  read_stream(fields, parsed);
  end_fields(fields, request.ignored);
  return parsed;
}

}  // namespace strata::api::openai
