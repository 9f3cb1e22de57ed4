// Reads requests to generate text: "inputs" and "parameters".
#include <array>

#include "api/dialect/dialect_common.h"
#include "api/dialect/huggingface/huggingface.h"
#include "api/dialect/pick_model.h"
#include "api/limits.h"

namespace strata::api::huggingface {
namespace {

using Kind = inference::OutputRule::Kind;

json::value schema_of(Fields& grammar, const json::value& value) {
  if (value.is_object()) return value;
  if (!value.is_string()) grammar.fail("value", "must be a JSON schema");
  try {
    const json::value parsed = parse_json(std::string_view(value.get_string()));
    if (parsed.is_object()) return parsed;
  } catch (const Error&) {
    // Said below.
  }
  grammar.fail("value", "is a text that holds no JSON schema");
}

void read_grammar(Fields& parameters, inference::OutputRule& output) {
  auto grammar = parameters.object("grammar");
  if (!grammar) return;
  const std::string type = grammar->required_text("type");
  const json::value* value = grammar->get("value");
  if (value == nullptr) grammar->fail("value", "is missing");
  if (type == "regex") {
    if (!value->is_string()) grammar->fail("value", "must be a regular expression");
    output.kind = Kind::regex;
    output.text = std::string(value->get_string());
  } else if (type == "json") {
    output.kind = Kind::json_schema;
    output.schema = schema_of(*grammar, *value);
  } else if (type == "json_schema") {
    Fields named(*value, grammar->path("value"));
    named.text("name");
    const json::value* schema = named.get("schema");
    if (schema == nullptr || !schema->is_object()) named.fail("schema", "must be a JSON schema");
    named.refuse_unread();
    output.kind = Kind::json_schema;
    output.schema = *schema;
  } else {
    grammar->fail("type", "must be json, regex or json_schema");
  }
  grammar->refuse_unread();
}

// The fields that say how to draw, which greedy choice leaves nothing to do.
void read_drawing(Fields& parameters, ChatRequest& request) {
  SamplingOptions& sampling = request.sampling;
  read_common_sampling(parameters, sampling);
  sampling.temperature = read_parameter_number(parameters, "temperature", "temperature");
  if (parameters.boolean("do_sample").value_or(true)) return;
  for (const std::string_view name : {"temperature", "top_k", "top_p", "typical_p", "min_p"}) {
    if (parameters.has(name)) request.ignored.push_back(parameters.path(name));
  }
  sampling.temperature = 0.0f;
}

void read_sampling(Fields& parameters, ChatRequest& request) {
  SamplingOptions& sampling = request.sampling;
  read_drawing(parameters, request);
  const auto number = [&](std::string_view key, std::string_view name) {
    return read_parameter_number(parameters, key, name);
  };
  if (const auto penalty = number("repetition_penalty", "repeat_penalty")) {
    sampling.repeat_penalty = *penalty;
  }
  sampling.frequency_penalty = number("frequency_penalty", "frequency_penalty");
  sampling.presence_penalty = number("presence_penalty", "presence_penalty");
  read_stop(parameters, sampling, kMaxStopStrings, kMaxStopBytes);
  if (const auto most = parameters.integer("max_new_tokens", 1, 1 << 30)) {
    sampling.max_tokens = static_cast<int32_t>(*most);
  }
  if (const auto last = parameters.integer("truncate", 1, 1 << 30)) {
    request.keep_last = static_cast<int32_t>(*last);
  }
}

void refuse_unbuilt(Fields& parameters) {
  if (parameters.boolean("watermark").value_or(false)) {
    parameters.fail("watermark", "is true, and texts are not marked here", "leave it out");
  }
  if (const auto adapter = parameters.text("adapter_id"); adapter && !adapter->empty()) {
    parameters.fail("adapter_id", "names an adapter, and there are none",
                    "use a model that has the adapter merged into it");
  }
}

void read_best_of(Fields& parameters, Parsed& parsed) {
  const auto best_of = parameters.integer("best_of", 1, kMaxChoices);
  if (!best_of || *best_of == 1) return;
  if (parsed.stream) parameters.fail("best_of", "and stream cannot go together");
  if (parsed.request.sampling.temperature == 0.0f) {
    parameters.fail("best_of", "asks for several answers, and without drawing all are the same",
                    "leave do_sample out");
  }
  parsed.best_of = true;
  parsed.request.n = static_cast<int32_t>(*best_of);
}

void read_details(Fields& parameters, Parsed& parsed) {
  parsed.details = parameters.boolean("details").value_or(false);
  const auto top = parameters.integer("top_n_tokens", 0, kMaxTopLogprobs);
  parsed.top_n_tokens = static_cast<int32_t>(top.value_or(0));
  parsed.prefill = parameters.boolean("decoder_input_details").value_or(false);
  const bool shown = parsed.details || parsed.stream;
  if (parsed.top_n_tokens > 0 && !shown) parameters.fail("top_n_tokens", "needs details: true");
  if (!parsed.prefill) return;
  if (parsed.stream) parameters.fail("decoder_input_details", "and stream cannot go together");
  if (!parsed.details) parameters.fail("decoder_input_details", "needs details: true");
  parsed.request.prompt_logprobs = true;
}

}  // namespace

void read_options(Fields& fields, std::vector<std::string>& ignored) {
  auto options = fields.object("options");
  if (!options) return;
  static constexpr std::array<std::string_view, 4> kIgnored{"use_cache", "wait_for_model",
                                                            "use_gpu", "dont_load_model"};
  options->ignore_unread(kIgnored, ignored);
}

Parsed parse_generate(const json::value& body, const Asked& asked, const Services& services) {
  Fields fields(body);
  Parsed parsed;
  ChatRequest& request = parsed.request;
  const bool named = fields.has("model") || asked.model.empty();
  request.model = named ? read_model_or_pick(fields, services, asked.caller) : asked.model;
  request.raw = true;
  const auto inputs = fields.text("inputs");
  if (!inputs) fields.fail("inputs", "is missing");
  if (inputs->empty()) fields.fail("inputs", "must not be empty");
  request.prompt = *inputs;
  const bool wanted = fields.boolean("stream").value_or(false);
  parsed.stream = asked.stream.value_or(wanted);
  parsed.in_array = asked.in_array;
  Fields parameters = fields.object_or_empty("parameters");
  read_sampling(parameters, request);
  read_grammar(parameters, request.output);
  read_details(parameters, parsed);
  read_best_of(parameters, parsed);
  parsed.return_full_text = parameters.boolean("return_full_text").value_or(false);
  refuse_unbuilt(parameters);
  parameters.refuse_unread();
  fields.know(parameters);
  request.tell_start = parsed.details || parsed.stream;
  if (request.tell_start || parsed.best_of) request.n_logprobs = parsed.top_n_tokens;
  read_options(fields, request.ignored);
  fields.refuse_unread();
  return parsed;
}

}  // namespace strata::api::huggingface
