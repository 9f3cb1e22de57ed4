#include <algorithm>
#include <array>

#include "api/dialect/dialect_common.h"
#include "api/dialect/openai/openai.h"
#include "api/dialect/pick_model.h"
#include "api/dialect/responses/responses.h"
#include "api/limits.h"

namespace strata::api::responses {
namespace {

// Sent habitually by clients, without effect on an answer here.
constexpr std::array<std::string_view, 2> kIgnored{"prompt_cache_options", "background_options"};

// Something short that the answer repeats; null where it is absent.
json::value short_text(Fields& fields, std::string_view key) {
  const auto text = fields.text(key);
  if (!text) return nullptr;
  if (text->size() > kMaxIdentifier) {
    fields.fail(key, fmt::format("has {} bytes, the limit is {}", text->size(), kMaxIdentifier));
  }
  return json::string(*text);
}

void read_format(Fields& format, Ask& ask, json::object& mirror) {
  using Kind = inference::OutputRule::Kind;
  const std::string type = format.required_text("type");
  mirror = {{"type", type}};
  if (type == "json_object") {
    ask.chat.output.kind = Kind::json_object;
  } else if (type == "json_schema") {
    ask.chat.output.kind = Kind::json_schema;
    mirror["name"] = format.required_text("name");
    const auto description = format.text("description");
    mirror["description"] = description ? json::value(json::string(*description)) : nullptr;
    if (!format.object("schema")) format.fail("schema", "is missing");
    ask.chat.output.schema = *format.get("schema");
    mirror["schema"] = ask.chat.output.schema;
    // An answer always keeps to its schema here: strict or not makes no difference.
    mirror["strict"] = format.boolean("strict").value_or(false);
  } else if (type != "text") {
    format.fail("type", "must be text, json_object or json_schema");
  }
  format.refuse_unread();
}

void read_text(Fields& fields, Ask& ask) {
  json::object format{{"type", "text"}};
  json::object mirror;
  if (auto text = fields.object("text")) {
    if (auto wanted = text->object("format")) read_format(*wanted, ask, format);
    if (const auto verbosity = text->text("verbosity")) {
      if (*verbosity != "low" && *verbosity != "medium" && *verbosity != "high") {
        text->fail("verbosity", "must be low, medium or high");
      }
      mirror["verbosity"] = *verbosity;
      ask.chat.ignored.push_back(text->path("verbosity"));
    }
    text->refuse_unread();
  }
  mirror["format"] = std::move(format);
  ask.mirror["text"] = std::move(mirror);
}

void read_reasoning(Fields& fields, Ask& ask) {
  json::object mirror{{"effort", nullptr}, {"summary", nullptr}};
  if (auto reasoning = fields.object("reasoning")) {
    if (const auto effort = reasoning->text("effort")) {
      static constexpr std::array<std::string_view, 7> kEfforts{"none", "minimal", "low", "medium",
                                                                "high", "xhigh",   "max"};
      if (std::ranges::find(kEfforts, *effort) == kEfforts.end()) {
        reasoning->fail("effort", "must be none, minimal, low, medium, high, xhigh or max");
      }
      mirror["effort"] = *effort;
      ask.chat.reasoning.think = *effort != "none";
      if (*effort != "none") ask.chat.reasoning.effort = *effort;
    }
    for (const char* key : {"summary", "generate_summary"}) {
      const auto summary = reasoning->text(key);
      if (!summary) continue;
      // The reasoning itself is in the answer; nobody makes it shorter.
      mirror["summary"] = *summary;
      ask.chat.ignored.push_back(reasoning->path(key));
    }
    reasoning->refuse_unread();
  }
  ask.mirror["reasoning"] = std::move(mirror);
}

void read_include(Fields& fields, Ask& ask) {
  static constexpr std::array<std::string_view, 6> kOfToolsNotBuilt{
      "file_search_call.results",
      "web_search_call.results",
      "web_search_call.action.sources",
      "message.input_image.image_url",
      "computer_call_output.output.image_url",
      "code_interpreter_call.outputs"};
  for (const json::value& each : fields.array("include", 16)) {
    const std::string_view name =
        each.is_string() ? std::string_view(each.get_string()) : std::string_view();
    if (name == "message.output_text.logprobs") {
      ask.logprobs = true;
    } else if (name == "reasoning.encrypted_content") {
      ask.sealed_reasoning = true;
    } else if (std::ranges::find(kOfToolsNotBuilt, name) != kOfToolsNotBuilt.end()) {
      ask.chat.ignored.push_back(fmt::format("include: {}", name));
    } else {
      fields.fail("include", "has an entry that names nothing to include");
    }
  }
}

void read_sampling(Fields& fields, Ask& ask) {
  SamplingOptions& sampling = ask.chat.sampling;
  openai::read_drawing(fields, ask.chat);
  read_stop(fields, sampling, kMaxStopStrings, kMaxStopBytes);
  const auto top = fields.integer("top_logprobs", 0, kMaxTopLogprobs);
  ask.logprobs = ask.logprobs || top.value_or(0) > 0;
  if (ask.logprobs) ask.chat.n_logprobs = static_cast<int32_t>(top.value_or(0));
  ask.mirror["top_logprobs"] = top.value_or(0);
  const auto max_tokens = fields.integer("max_output_tokens", 1, 1 << 30);
  if (max_tokens) sampling.max_tokens = static_cast<int32_t>(*max_tokens);
  ask.mirror["max_output_tokens"] = max_tokens ? json::value(*max_tokens) : nullptr;
  // Of the server's own tools; there are none, and a program's functions do not count.
  const auto max_calls = fields.integer("max_tool_calls", 1, 1 << 30);
  ask.mirror["max_tool_calls"] = max_calls ? json::value(*max_calls) : nullptr;
}

void refuse_what_is_not_built(Fields& fields) {
  if (!fields.array("context_management", 16).empty()) {
    refuse_unbuilt("context_management: a conversation is not made shorter by itself",
                   "make it short with /v1/responses/compact when you want it");
  }
}

// Without it the model or the server says what becomes of an input that does not fit.
void read_truncation(Fields& fields, Ask& ask) {
  const auto truncation = fields.text("truncation");
  if (truncation && *truncation != "auto" && *truncation != "disabled") {
    fields.fail("truncation", "must be auto or disabled");
  }
  if (truncation) {
    ask.chat.context_policy =
        *truncation == "auto" ? ContextPolicy::truncate : ContextPolicy::error;
  }
  ask.mirror["truncation"] = truncation.value_or("disabled");
}

void read_history(Fields& fields, Ask& ask) {
  ask.previous = fields.text("previous_response_id").value_or("");
  const json::value* conversation = fields.get("conversation");
  if (conversation && conversation->is_string()) {
    ask.conversation = std::string(conversation->get_string());
  } else if (conversation) {
    Fields object(*conversation, "conversation");
    ask.conversation = object.required_text("id");
    object.refuse_unread();
  }
  if (!ask.previous.empty() && !ask.conversation.empty()) {
    fields.fail("conversation", "and previous_response_id say two different things",
                "send only one of them");
  }
  const auto mirrored = [](const std::string& id) {
    return id.empty() ? json::value(nullptr) : json::value(json::string(id));
  };
  ask.mirror["previous_response_id"] = mirrored(ask.previous);
  ask.mirror["conversation"] = ask.conversation.empty()
                                   ? json::value(nullptr)
                                   : json::value(json::object{{"id", ask.conversation}});
}

void read_input(Fields& fields, Ask& ask, const FindItem& find_item) {
  const auto nothing_before = [&] {
    return ask.previous.empty() && ask.conversation.empty() && ask.prompt.empty();
  };
  const auto instructions = fields.text("instructions");
  ask.instructions = instructions.value_or("");
  ask.mirror["instructions"] = instructions ? json::value(json::string(*instructions)) : nullptr;
  const json::value* input = fields.get("input");
  if (!input) {
    if (nothing_before()) fields.fail("input", "is missing");
  } else if (input->is_string()) {
    const json::object item{{"role", "user"}, {"content", input->get_string()}};
    ask.input.push_back(read_item(item, "input", find_item));
  } else {
    ask.input = read_items(fields, "input", kMaxItems, find_item);
  }
}

void read_delivery(Fields& fields, Ask& ask) {
  ask.store = fields.boolean("store").value_or(true);
  ask.background = fields.boolean("background").value_or(false);
  ask.stream = fields.boolean("stream").value_or(false);
  if (ask.background && !ask.store) {
    fields.fail("background", "needs store: true: the answer is fetched later",
                "leave one of the two out");
  }
  if (auto options = fields.object("stream_options")) {
    if (!ask.stream) fields.fail("stream_options", "is only for stream: true");
    // Nothing is padded here.
    if (options->boolean("include_obfuscation").value_or(false)) {
      ask.chat.ignored.push_back(options->path("include_obfuscation"));
    }
    options->refuse_unread();
  }
  ask.mirror["store"] = ask.store;
  ask.mirror["background"] = ask.background;
  ask.mirror["metadata"] = openai::read_metadata(fields);
  ask.mirror["safety_identifier"] = short_text(fields, "safety_identifier");
  ask.chat.end_user = openai::read_end_user(fields);
  const openai::Tier tier = openai::read_tier(fields);
  ask.chat.priority = tier.priority;
  ask.mirror["service_tier"] = tier.name;
  ask.mirror["prompt_cache_key"] = short_text(fields, "prompt_cache_key");
  if (fields.has("prompt_cache_key")) ask.chat.ignored.emplace_back("prompt_cache_key");
  // Beginnings are kept in memory, and on disk where the server's owner says so.
  const auto retention = fields.text("prompt_cache_retention").value_or("in_memory");
  if (retention != "in_memory" && retention != "in-memory") {
    ask.chat.ignored.emplace_back("prompt_cache_retention");
  }
}

std::string without_input(const json::value& document) {
  json::object kept = document.as_object();
  kept.erase("input");
  return to_json(kept);
}

// What makes the prompt.
void read_prompt_fields(Fields& fields, Ask& ask, const Services& services,
                        const std::string& owner) {
  ask.chat.model = read_model_or_pick(fields, services, owner, Purpose::chat);
  refuse_what_is_not_built(fields);
  read_truncation(fields, ask);
  read_history(fields, ask);
  read_input(fields, ask, finder(services, owner));
  read_tools(fields, ask);
  read_text(fields, ask);
  read_reasoning(fields, ask);
}

}  // namespace

void refuse_unbuilt(const std::string& what, std::string hint) {
  throw Error(Code::unimplemented, what, std::move(hint));
}

Ask parse_ask(const Services& services, const Request& request) {
  json::value document = read_body(request.body);
  Ask ask;
  apply_prompt(document, ask, services, request.owner);
  Fields fields(document);
  fields.get("prompt");  // read already
  read_prompt_fields(fields, ask, services, request.owner);
  read_include(fields, ask);
  read_sampling(fields, ask);
  read_delivery(fields, ask);
  if (fields.boolean("timings_per_token").value_or(false)) {
    ask.chat.ignored.emplace_back("timings_per_token");
  }
  openai::pass_over_llamacpp_fields(fields, ask.chat.ignored);
  fields.ignore_unread(kIgnored, ask.chat.ignored);
  ask.mirror["model"] = ask.chat.model;
  if (ask.store) ask.request = without_input(document);
  return ask;
}

Ask parse_count(const Services& services, const Request& request) {
  const json::value document = read_body(request.body);
  Fields fields(document);
  Ask ask;
  read_prompt_fields(fields, ask, services, request.owner);
  fields.ignore_unread(kIgnored, ask.chat.ignored);
  return ask;
}

Ask parse_compact(const Services& services, const Request& request) {
  const json::value document = read_body(request.body);
  Fields fields(document);
  Ask ask;
  ask.chat.model = read_model_or_pick(fields, services, request.owner, Purpose::chat);
  ask.previous = fields.text("previous_response_id").value_or("");
  read_input(fields, ask, finder(services, request.owner));
  if (const auto key = short_text(fields, "prompt_cache_key"); !key.is_null()) {
    ask.chat.ignored.emplace_back("prompt_cache_key");
  }
  fields.ignore_unread(kIgnored, ask.chat.ignored);
  return ask;
}

}  // namespace strata::api::responses
