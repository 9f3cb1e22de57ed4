// From the body of generateContent to a ChatRequest.
#include <algorithm>
#include <array>

#include "api/dialect/dialect_common.h"
#include "api/dialect/gemini/gemini.h"
#include "api/limits.h"
#include "core/ascii.h"

namespace strata::api::gemini {
namespace {

using inference::OutputRule;

// Nothing is filtered here but by the operator's own rules, and no account keeps labels.
constexpr std::array<std::string_view, 2> kIgnored{"safetySettings", "labels"};
constexpr size_t kMaxEnum = 4096;

void read_thinking(Fields& config, Parsed& parsed) {
  auto thinking = config.object("thinkingConfig");
  if (!thinking) return;
  models::ReasoningWish& wish = parsed.request.reasoning;
  parsed.shows_thoughts = thinking->boolean("includeThoughts").value_or(false);
  if (const auto budget = thinking->integer("thinkingBudget", -1, 1 << 30)) {
    wish.think = *budget != 0;
    if (*budget > 0) wish.max_tokens = static_cast<int32_t>(*budget);  // -1: as it likes
  }
  if (const auto given = thinking->text("thinkingLevel")) {
    const std::string level = lower_case(*given);
    static constexpr std::array<std::string_view, 5> kLevels{"minimal", "low", "medium", "high",
                                                             "thinking_level_unspecified"};
    if (std::ranges::find(kLevels, level) == kLevels.end()) {
      thinking->fail("thinkingLevel", "must be MINIMAL, LOW, MEDIUM or HIGH");
    }
    if (level != kLevels.back()) wish.effort = level;
  }
  thinking->refuse_unread();
}

// The schema that an answer has to match, from one of its two fields; null: neither.
json::value read_schema(Fields& config) {
  const json::value* plain = config.get("responseJsonSchema");
  const json::value* schema = config.get("responseSchema");
  if (plain != nullptr && schema != nullptr) {
    config.fail("responseSchema", "and responseJsonSchema say the same thing twice");
  }
  if (schema != nullptr) return json_schema(*schema, config.path("responseSchema"));
  if (plain == nullptr) return nullptr;
  if (!plain->is_object()) config.fail("responseJsonSchema", "must be a JSON schema, an object");
  return *plain;
}

void read_enum(Fields& config, const json::value& schema, OutputRule& rule) {
  rule.kind = OutputRule::Kind::choice;
  const json::object* object = schema.if_object();
  const json::value* names = object != nullptr ? object->if_contains("enum") : nullptr;
  if (names == nullptr || !names->is_array() || names->get_array().empty() ||
      names->get_array().size() > kMaxEnum) {
    config.fail("responseSchema", "must have an enum for text/x.enum");
  }
  for (const json::value& name : names->get_array()) {
    if (!name.is_string()) config.fail("responseSchema", "has an enum that is not of texts");
    rule.choices.emplace_back(name.get_string());
  }
}

void read_output(Fields& config, OutputRule& rule) {
  const std::string type = config.text("responseMimeType").value_or("text/plain");
  json::value schema = read_schema(config);
  if (type == "application/json") {
    rule.kind = schema.is_null() ? OutputRule::Kind::json_object : OutputRule::Kind::json_schema;
    rule.schema = std::move(schema);
  } else if (type == "text/x.enum") {
    read_enum(config, schema, rule);
  } else if (type != "text/plain") {
    config.fail("responseMimeType", "must be text/plain, application/json or text/x.enum");
  } else if (!schema.is_null()) {
    config.fail("responseMimeType", "must be application/json where a schema is given");
  }
}

void read_modalities(Fields& config) {
  const auto modalities = config.texts("responseModalities", 8, 32);
  if (!modalities) return;
  for (const std::string& each : *modalities) {
    if (each != "TEXT") config.fail("responseModalities", "must be [\"TEXT\"]");
  }
}

void read_config(Fields& fields, Parsed& parsed) {
  Fields config = fields.object_or_empty("generationConfig");
  ChatRequest& request = parsed.request;
  SamplingOptions& sampling = request.sampling;
  sampling.temperature = config.real("temperature", 0, 2);
  sampling.top_p = read_parameter_number(config, "topP", "top_p");
  sampling.top_k = read_parameter_integer(config, "topK", "top_k");
  sampling.presence_penalty = config.real("presencePenalty", -2, 2);
  sampling.frequency_penalty = config.real("frequencyPenalty", -2, 2);
  if (const auto seed = config.integer("seed", INT32_MIN, INT32_MAX)) {
    sampling.seed = static_cast<uint64_t>(static_cast<uint32_t>(*seed));
  }
  if (const auto most = config.integer("maxOutputTokens", 1, 1 << 30)) {
    sampling.max_tokens = static_cast<int32_t>(*most);
  }
  if (auto stop = config.texts("stopSequences", kMaxStopStrings, kMaxStopBytes)) {
    std::erase_if(*stop, [](const std::string& each) { return each.empty(); });
    sampling.stop = std::move(*stop);
  }
  request.n = static_cast<int32_t>(config.integer("candidateCount", 1, kMaxChoices).value_or(1));
  const bool logprobs = config.boolean("responseLogprobs").value_or(false);
  const auto top = config.integer("logprobs", 0, kMaxTopLogprobs);
  if (top && !logprobs) config.fail("logprobs", "needs responseLogprobs: true");
  if (logprobs) request.n_logprobs = static_cast<int32_t>(top.value_or(0));
  read_thinking(config, parsed);
  read_output(config, request.output);
  read_modalities(config);
  config.refuse_unread();
  fields.know(config);
}

Parsed read_request(Fields& fields, const std::string& model) {
  Parsed parsed;
  ChatRequest& request = parsed.request;
  request.model = model;
  check_model(fields, model);
  read_contents(fields, request);
  read_tools(fields, request);
  read_config(fields, parsed);
  const std::string tier = lower_case(fields.text("serviceTier").value_or(""));
  if (!tier.empty() && !tier.ends_with("unspecified") && tier != "standard") {
    fields.fail("serviceTier", "must be standard: there is one kind of service");
  }
  if (fields.boolean("store").value_or(false)) {
    fields.fail("store", "must be false: this interface keeps no answers");
  }
  fields.ignore_unread(kIgnored, request.ignored);
  return parsed;
}

}  // namespace

Parsed parse_generate(const std::string& model, const std::string& body) {
  const json::value document = read_camel_body(body);
  Fields fields(document);
  return read_request(fields, model);
}

ChatRequest parse_count(const std::string& model, const std::string& body) {
  const json::value document = read_camel_body(body);
  Fields fields(document);
  auto inner = fields.object("generateContentRequest");
  if (!inner) return read_request(fields, model).request;
  if (fields.has("contents")) {
    fields.fail("contents", "and generateContentRequest exclude each other");
  }
  fields.refuse_unread();
  return read_request(*inner, model).request;
}

}  // namespace strata::api::gemini
