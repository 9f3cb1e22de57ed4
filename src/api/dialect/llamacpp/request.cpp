// Reads /completion and /infill. A field is honoured, refused, or named as ignored.
#include <algorithm>
#include <array>

#include "api/dialect/dialect_common.h"
#include "api/dialect/llamacpp/llamacpp.h"
#include "api/dialect/llamacpp_fields.h"
#include "api/dialect/pick_model.h"
#include "api/dialect/samplers.h"
#include "api/dialect/timings.h"
#include "api/limits.h"
#include "models/parameters.h"

namespace strata::api::llamacpp {
namespace {

constexpr int64_t kAnySeed = 0xffffffff;  // this interface's other word for -1
constexpr size_t kMaxFiles = 256;

// Its pieces are what they are.
constexpr std::array<std::string_view, 1> kIgnored{"stream_options"};
constexpr double kMaxBias = 1e6;

// Ids and texts in one sequence. `key` names the field at fault.
std::vector<PromptPart> read_sequence(const json::array& items, Fields& fields,
                                      std::string_view key) {
  std::vector<PromptPart> parts;
  for (const json::value& item : items) {
    if (item.is_string()) {
      if (!item.get_string().empty()) parts.push_back({.text = std::string(item.get_string())});
      continue;
    }
    if (parts.empty() || parts.back().ids.empty()) parts.emplace_back();
    const auto id = read_ids(json::array{item}, fields, key);
    parts.back().ids.push_back(id.front());
  }
  return parts;
}

void read_prompt(const json::value& value, Fields& fields, ChatRequest& request) {
  request.raw = true;
  if (value.is_string()) {
    request.prompt = std::string(value.get_string());
  } else if (value.is_array()) {
    request.prompt_front = read_sequence(value.get_array(), fields, "prompt");
    if (request.prompt_front.empty()) fields.fail("prompt", "has an empty array");
  } else if (value.is_object()) {
    Fields object(value, "prompt");
    const auto text = object.text("prompt_string");
    if (!text) object.fail("prompt_string", "is missing");
    if (const json::value* media = object.get("multimodal_data"); media != nullptr) {
      const json::array* list = media->if_array();
      if (list == nullptr || !list->empty()) {
        object.fail("multimodal_data", "is given, and this server reads text only");
      }
    }
    object.refuse_unread();
    request.prompt = *text;
  } else {
    fields.fail("prompt", "must be a text, token ids, or an array of these");
  }
}

bool is_one_sequence(const json::array& items) {
  return std::ranges::any_of(items, [](const json::value& item) { return item.is_number(); });
}

// One request a prompt, each like `base`.
std::vector<ChatRequest> read_prompts(Fields& fields, const ChatRequest& base) {
  const json::value* value = fields.get("prompt");
  if (value == nullptr) fields.fail("prompt", "is missing");
  std::vector<ChatRequest> requests;
  if (!value->is_array() || is_one_sequence(value->get_array())) {
    read_prompt(*value, fields, requests.emplace_back(base));
    return requests;
  }
  const auto items = fields.array("prompt", kMaxPrompts);
  if (items.empty()) fields.fail("prompt", "is empty");
  for (const json::value& item : items) read_prompt(item, fields, requests.emplace_back(base));
  if (requests.size() * static_cast<size_t>(base.n) > kMaxAnswers) {
    fields.fail("prompt", fmt::format("asks for {} answers, the limit is {}",
                                      requests.size() * static_cast<size_t>(base.n), kMaxAnswers));
  }
  return requests;
}

void read_sampling(Fields& fields, ChatRequest& request) {
  SamplingOptions& sampling = request.sampling;
  read_common_sampling(fields, sampling);
  if (sampling.seed == static_cast<uint64_t>(kAnySeed)) sampling.seed = kFreshSeed;
  const auto number = [&](std::string_view name) {
    return read_parameter_number(fields, name, name);
  };
  sampling.temperature = number("temperature");
  sampling.presence_penalty = number("presence_penalty");
  sampling.frequency_penalty = number("frequency_penalty");
  read_stop(fields, sampling, models::kMaxStopTexts, models::kMaxStopTextBytes);
  read_logit_bias(fields, sampling, kMaxBias);
  read_samplers(fields, sampling, request.ignored);
  request.ignore_end_tokens = fields.boolean("ignore_eos").value_or(false);
  if (const auto limit =
          read_alias(fields, {"n_predict", "max_tokens", "max_completion_tokens"}, -2, 1 << 30)) {
    sampling.max_tokens = std::max(static_cast<int32_t>(*limit), -1);
  }
  const auto n = read_alias(fields, {"n_cmpl", "n"}, 1, kMaxChoices);
  request.n = static_cast<int32_t>(n.value_or(1));
}

void read_output(Fields& fields, ChatRequest& request) {
  using Kind = inference::OutputRule::Kind;
  const json::value* schema = fields.get("json_schema");
  const std::string grammar = fields.text("grammar").value_or("");
  if (schema != nullptr && !grammar.empty()) {
    fields.fail("json_schema", "and grammar are both given", "send only one of them");
  }
  if (!grammar.empty()) {
    request.output.kind = Kind::gbnf;
    request.output.text = grammar;
  }
  if (schema == nullptr) return;
  if (!schema->is_object()) fields.fail("json_schema", "must be a JSON schema");
  request.output.kind = schema->get_object().empty() ? Kind::json_object : Kind::json_schema;
  request.output.schema = *schema;
}

void read_probabilities(Fields& fields, Parsed& parsed, ChatRequest& request) {
  parsed.n_probs = static_cast<int32_t>(
      read_alias(fields, {"n_probs", "logprobs"}, 0, kMaxTopLogprobs).value_or(0));
  refuse_post_sampling(fields, parsed.n_probs > 0);
  if (parsed.n_probs > 0) request.n_logprobs = parsed.n_probs;
  request.token_ids = parsed.return_tokens || parsed.stream;
}

// What both have in common; `request` is like each of the requests.
void read_shared(Fields& fields, const Services& services, const std::string& caller,
                 Parsed& parsed, ChatRequest& request) {
  request.model = read_model_or_pick(fields, services, caller);
  request.tell_start = true;
  parsed.stream = fields.boolean("stream").value_or(false);
  parsed.return_tokens = fields.boolean("return_tokens").value_or(false);
  parsed.timings_per_token = fields.boolean("timings_per_token").value_or(false);
  parsed.return_progress = fields.boolean("return_progress").value_or(false);
  parsed.response_fields = read_response_fields(fields);
  read_sampling(fields, request);
  read_output(fields, request);
  read_probabilities(fields, parsed, request);
  refuse_unbuilt(fields);
  name_idle(fields, kIdleWork, request.ignored);
  request.most_ms = read_time_limit(fields);
  request.computes_anew = !fields.boolean("cache_prompt").value_or(true);
  parsed.ping_s = read_ping_interval(fields);
}

// What a file adds to the prompt: its name in a line, and its lines.
std::string read_file(Fields& file) {
  auto text = file.text("text");
  if (!text) file.fail("text", "is missing");
  const std::string name = file.text("filename").value_or("");
  if (name.find_first_of("\r\n") != std::string::npos) {
    file.fail("filename", "has an end of line in it");
  }
  if (!text->empty() && !text->ends_with('\n')) *text += '\n';
  return name.empty() ? *text : fmt::format("{}\n{}", name, *text);
}

// Their times say nothing; an editor sends many, so that is named once for all.
void read_files(Fields& fields, ChatRequest& request) {
  bool timed = false;
  const auto files = fields.array("input_extra", kMaxFiles);
  for (size_t i = 0; i < files.size(); ++i) {
    Fields file(files[i], fmt::format("input_extra[{}]", i));
    request.prompt_front.push_back({.text = read_file(file), .plain = true});
    timed = file.get("time") != nullptr || timed;
    file.refuse_unread();
  }
  if (timed) request.ignored.emplace_back("input_extra[].time");
}

}  // namespace

Parsed parse_completion(const json::value& body, const Services& services,
                        const std::string& caller) {
  Fields fields(body);
  Parsed parsed;
  ChatRequest base;
  read_shared(fields, services, caller, parsed, base);
  fields.get("prompt");
  fields.ignore_unread(kIgnored, base.ignored);
  parsed.requests = read_prompts(fields, base);
  return parsed;
}

Parsed parse_infill(const json::value& body, const Services& services, const std::string& caller) {
  Fields fields(body);
  Parsed parsed;
  ChatRequest& request = parsed.requests.emplace_back();
  read_shared(fields, services, caller, parsed, request);
  request.raw = true;
  const auto prefix = fields.text("input_prefix");
  const auto suffix = fields.text("input_suffix");
  if (!prefix) fields.fail("input_prefix", "is missing");
  if (!suffix) fields.fail("input_suffix", "is missing");
  request.prompt = *prefix;
  request.suffix = *suffix;
  const std::string begin = fields.text("prompt").value_or("");
  if (!begin.empty()) request.prompt_back.push_back({.text = begin, .plain = true});
  read_files(fields, request);
  fields.ignore_unread(kIgnored, request.ignored);
  return parsed;
}

}  // namespace strata::api::llamacpp
