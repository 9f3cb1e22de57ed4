// From the body of /v1/messages to a ChatRequest.
#include <algorithm>
#include <array>

#include "api/dialect/anthropic/anthropic.h"
#include "api/dialect/dialect_common.h"
#include "api/limits.h"

namespace strata::api::anthropic {
namespace {

// Wishes to drop old thinking or results from the conversation: all of it is read.
constexpr std::array<std::string_view, 1> kIgnored{"context_management"};

// Thinks only where it is asked for, as at Anthropic: by `thinking`, or by saying with what effort.
void read_thinking(Fields& fields, Parsed& parsed) {
  models::ReasoningWish& wish = parsed.request.reasoning;
  auto thinking = fields.object("thinking");
  if (!thinking) {
    if (wish.effort.empty()) wish.think = false;
    return;
  }
  const std::string type = thinking->required_text("type");
  if (type != "enabled" && type != "adaptive" && type != "disabled") {
    thinking->fail("type", "must be enabled, adaptive or disabled");
  }
  wish.think = type != "disabled";
  if (type == "enabled") {
    const auto budget = thinking->integer("budget_tokens", 1, 1 << 30);
    if (!budget) thinking->fail("budget_tokens", "is missing");
    wish.max_tokens = static_cast<int32_t>(*budget);
  }
  if (type != "disabled") {
    const std::string display = thinking->text("display").value_or("summarized");
    if (display != "summarized" && display != "omitted") {
      thinking->fail("display", "must be summarized or omitted");
    }
    parsed.shows_thinking = display != "omitted";
  }
  thinking->refuse_unread();
}

// {"type": "json_schema", "schema": …}.
void read_format(Fields& format, inference::OutputRule& rule) {
  if (format.required_text("type") != "json_schema") format.fail("type", "must be json_schema");
  const json::value* schema = format.get("schema");
  if (schema == nullptr || !schema->is_object()) {
    format.fail("schema", "must be a JSON schema, an object");
  }
  rule.kind = inference::OutputRule::Kind::json_schema;
  rule.schema = *schema;
  format.refuse_unread();
}

void read_output(Fields& fields, ChatRequest& request) {
  if (auto older = fields.object("output_format")) read_format(*older, request.output);
  auto output = fields.object("output_config");
  if (!output) return;
  if (const auto effort = output->text("effort")) {
    static constexpr std::array<std::string_view, 5> kEfforts{"low", "medium", "high", "xhigh",
                                                              "max"};
    if (std::ranges::find(kEfforts, *effort) == kEfforts.end()) {
      output->fail("effort", "must be low, medium, high, xhigh or max");
    }
    request.reasoning.effort = *effort;
  }
  if (auto format = output->object("format")) {
    if (request.output.kind != inference::OutputRule::Kind::none) {
      output->fail("format", "and output_format say the same thing twice");
    }
    read_format(*format, request.output);
  }
  output->refuse_unread();
}

void read_sampling(Fields& fields, SamplingOptions& sampling) {
  const auto max_tokens = fields.integer("max_tokens", 0, 1 << 30);
  if (!max_tokens) fields.fail("max_tokens", "is missing");
  sampling.max_tokens = static_cast<int32_t>(*max_tokens);
  sampling.temperature = fields.real("temperature", 0, 1);
  sampling.top_p = read_parameter_number(fields, "top_p", "top_p");
  sampling.top_k = read_parameter_integer(fields, "top_k", "top_k");
  auto stop = fields.texts("stop_sequences", kMaxStopStrings, kMaxStopBytes);
  if (!stop) return;
  if (std::ranges::any_of(*stop, &std::string::empty)) {
    fields.fail("stop_sequences", "has an empty text");
  }
  sampling.stop = std::move(*stop);
}

// One kind of service is there, and no purse that it would be charged to.
void read_service(Fields& fields, Marks& marks) {
  const auto tier = fields.text("service_tier");
  if (tier && *tier != "auto" && *tier != "standard_only") {
    fields.fail("service_tier", "must be auto or standard_only");
  }
  if (const auto speed = fields.text("speed"); speed && *speed != "standard") {
    fields.fail("speed", "must be standard: there is one speed, as fast as this machine goes");
  }
  if (auto metadata = fields.object("metadata")) {
    if (metadata->text("user_id")) marks.ignored.push_back(metadata->path("user_id"));
    metadata->refuse_unread();
  }
}

// No conversation is held here: one that is to begin is answered without, one to go on with is not
// found, in the words that make a client send it whole.
void read_thread(Fields& fields, Marks& marks) {
  auto thread = fields.object("thread");
  if (!thread) return;
  if (thread->required_text("type") != "create") {
    throw UnknownThread(thread->path("type"));
  }
  thread->refuse_unread();
  marks.ignored.emplace_back("thread");
}

// What counting and answering share.
void read_prompt(Fields& fields, Parsed& parsed, Marks& marks) {
  ChatRequest& request = parsed.request;
  if (fields.has("model")) request.model = read_model_name(fields, "model");
  read_cache_control(fields, marks);
  read_messages(fields, request, marks);
  read_system(fields, request, marks);
  read_tools(fields, request, marks);
  request.call_fragments = true;
  read_output(fields, request);
  read_thinking(fields, parsed);
  if (request.continue_last && request.reasoning.think.value_or(false)) {
    fields.fail("messages", "end with an assistant's, which can't be continued by thinking",
                "send thinking: {\"type\": \"disabled\"}");
  }
}

}  // namespace

Parsed parse_message(const std::string& body) {
  const json::value document = read_body(body);
  Fields fields(document);
  Parsed parsed;
  Marks marks;
  read_thread(fields, marks);  // first: who goes on with one sends only what is new
  read_prompt(fields, parsed, marks);
  ChatRequest& request = parsed.request;
  read_sampling(fields, request.sampling);
  const auto budget = request.reasoning.max_tokens;
  if (budget && *budget >= *request.sampling.max_tokens) {
    fields.fail("thinking.budget_tokens",
                fmt::format("is {}, it must be below max_tokens, which is {}", *budget,
                            *request.sampling.max_tokens));
  }
  read_service(fields, marks);
  parsed.stream = fields.boolean("stream").value_or(false);
  parsed.caches = marks.n_breakpoints > 0;
  fields.ignore_unread(kIgnored, marks.ignored);
  request.ignored = std::move(marks.ignored);
  return parsed;
}

ChatRequest parse_count(const std::string& body) {
  const json::value document = read_body(body);
  Fields fields(document);
  Parsed parsed;
  Marks marks;
  read_prompt(fields, parsed, marks);
  read_service(fields, marks);
  fields.ignore_unread(kIgnored, marks.ignored);
  parsed.request.ignored = std::move(marks.ignored);
  return parsed.request;
}

}  // namespace strata::api::anthropic
