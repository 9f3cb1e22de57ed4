#include "api/gateway/local_conversation.h"

#include <algorithm>
#include <optional>
#include <set>

#include "api/prompt/system_front.h"
#include "inference/constraint/grammar.h"
#include "models/chat/output/described_tools.h"
#include "models/chat/template_variables.h"

namespace strata::api {
namespace {

using models::Conversation;
using models::ReasoningWish;
using models::ToolChoice;

// The model with what the request puts in place of its own; absent: nothing.
std::optional<models::Model> asked_model(const ChatRequest& request, const models::Model& model) {
  if (request.model_messages && request.chat_template.empty()) return std::nullopt;
  models::Model asked = model;
  if (!request.model_messages) asked.overrides.messages.clear();
  if (!request.chat_template.empty()) {
    asked.chat_template =
        models::parse_template(*model.tokenizer, request.chat_template, request_template_limits());
  }
  return asked;
}

// The tools that the model is told of are those that it may call.
json::array allowed_tools(const ChatRequest& request) {
  const ToolChoice& choice = request.tool_choice;
  if (choice.mode == ToolChoice::Mode::none) return {};
  if (choice.names.empty()) return request.conversation.tools;
  json::array allowed;
  for (const json::value& tool : request.conversation.tools) {
    const models::ToolSet one({tool}, {});
    const std::string& name = one.tools().front().name;
    if (std::find(choice.names.begin(), choice.names.end(), name) != choice.names.end()) {
      allowed.push_back(tool);
    }
  }
  return allowed;
}

// Sets one of the variables that the template reads, unless the request does it itself. False: it
// reads none of them.
bool tell_template(Conversation& conversation, const std::set<std::string>& read,
                   std::initializer_list<const char*> names, const json::value& value) {
  bool told = false;
  for (const char* name : names) {
    if (!read.contains(name)) continue;
    if (!conversation.variables.contains(name)) conversation.variables[name] = value;
    told = true;
  }
  return told;
}

void wish_reasoning(const ReasoningWish& wish, const std::set<std::string>& read,
                    Conversation& conversation, std::vector<std::string>& notices) {
  const bool none = wish.effort == "none";
  std::optional<bool> think = wish.think;
  if (!think && !wish.effort.empty()) think = !none;
  if (think) {
    tell_template(conversation, read, {"enable_thinking", "thinking"}, json::value(*think));
  }
  if (!wish.effort.empty() &&
      !tell_template(conversation, read, {"reasoning_effort", "thinking_effort"},
                     json::value(wish.effort)) &&
      !none) {
    notices.push_back(fmt::format(
        "the model's chat template knows no degrees of reasoning: effort \"{}\" is not told to it",
        wish.effort));
  }
  if (wish.max_tokens) {
    tell_template(conversation, read, {"thinking_budget"}, json::value(*wish.max_tokens));
  }
}

bool forbids_reasoning(const ReasoningWish& wish) {
  return wish.think == false || (!wish.think && wish.effort == "none");
}

// How calls are written by a model that is told of the tools in text; null: its template tells it.
const models::OutputFormat* described_format(const Conversation& conversation,
                                             const std::set<std::string>& read) {
  const bool described = !conversation.tools.empty() && !read.contains("tools");
  return described ? &models::described_tools_format() : nullptr;
}

// What of the tools does not hold with this model.
void tell_of_tools(const Conversation& conversation, const std::set<std::string>& read,
                   const models::OutputPlan* plan, std::vector<std::string>& notices) {
  if (conversation.tools.empty()) return;
  if (!read.contains("tools")) {
    notices.emplace_back(
        "the model's chat template knows no tools: they are described to it in words");
  } else if (plan == nullptr || plan->options.format == nullptr) {
    notices.emplace_back("how this model writes calls of tools is not known: they stay text");
  }
}

std::vector<inference::OutputTrigger> rules_of_calls(const models::OutputFormat& format,
                                                     const models::ToolSet& tools) {
  std::vector<inference::OutputTrigger> rules;
  for (models::CallTrigger& call : format.call_triggers(tools)) {
    rules.push_back({.begin = std::move(call.begin),
                     .rule = {.kind = inference::OutputRule::Kind::lark,
                              .members = inference::Members::as_listed,
                              .text = std::move(call.lark)},
                     .bare = call.bare,
                     .last = call.last});
  }
  return rules;
}

// Tools with the schemas that can be kept; of the others, if they are not strict, calls are any
// object.
models::ToolSet keepable(const models::OutputFormat& format, models::ToolSet tools,
                         std::vector<std::string>& notices) {
  for (size_t i = 0; i < tools.tools().size(); ++i) {
    const models::OfferedTool& tool = tools.tools()[i];
    try {
      inference::compile({.kind = inference::OutputRule::Kind::json_schema,
                          .schema = tool.parameters,
                          .members = inference::Members::as_listed});
      const auto rules = rules_of_calls(format, tools.only(i));
      if (!rules.empty()) inference::compile(rules);
    } catch (const Error& error) {
      if (tool.strict) {
        throw Error(Code::invalid_argument,
                    fmt::format("the tool {} is strict, and its schema cannot be kept: {}",
                                tool.name, error.message()),
                    "mend the schema, or leave strict out");
      }
      notices.push_back(fmt::format("the arguments of {} are not kept to its schema: {}", tool.name,
                                    error.message()));
      tools.loosen(i);
    }
  }
  return tools;
}

// Calls are kept to the tools' names and schemas. Where one is required, or text has a rule, there
// is nothing else in the answer.
void constrain_calls(const ChatRequest& request, const models::OutputPlan* plan,
                     PreparedConversation& prepared) {
  const bool required = request.tool_choice.mode == ToolChoice::Mode::required;
  const bool ruled = request.output.kind != inference::OutputRule::Kind::none;
  if (plan != nullptr && plan->options.format != nullptr && !plan->options.tools.empty()) {
    const models::OutputFormat& format = *plan->options.format;
    prepared.triggers =
        rules_of_calls(format, keepable(format, plan->options.tools, prepared.notices));
  }
  const bool may_call =
      !request.conversation.tools.empty() && request.tool_choice.mode != ToolChoice::Mode::none;
  if (may_call && prepared.triggers.empty() && ruled) {
    throw Error(Code::invalid_argument,
                "the answer has to match a rule or be a call of a tool, and the calls of this "
                "model's format cannot be told from text by a rule",
                "send the tools or the rule alone, or tool_choice none");
  }
  prepared.frame.calls_only = required && !prepared.triggers.empty();
  if (plan != nullptr) {
    prepared.frame.front = models::answer_front(plan->options, plan->max_reasoning_tokens != 0);
  }
  if (required && prepared.triggers.empty()) {
    prepared.notices.emplace_back(
        "tool_choice: that a tool is called cannot be enforced in the format of this model's "
        "calls");
  }
}

// Tokens of reasoning; the closing tag is forced behind them.
void limit_reasoning(const ReasoningWish& wish, models::OutputPlan* plan,
                     std::vector<std::string>& notices) {
  const bool reasons = plan != nullptr && !plan->closing.empty();
  if (reasons) {
    if (wish.max_tokens) plan->max_reasoning_tokens = std::max(0, *wish.max_tokens);
    if (forbids_reasoning(wish)) plan->max_reasoning_tokens = 0;
    if (wish.think == true && plan->options.state == models::ThinkState::closed) {
      notices.emplace_back(
          "reasoning was asked for, but the model's chat template closes it before the answer");
    }
    return;
  }
  if (wish.think == true || wish.max_tokens) {
    notices.emplace_back(
        "reasoning was asked for, but the model writes none that could be told "
        "from its answer");
  }
}

Error cannot_continue(std::string message) {
  return Error(Code::invalid_argument, std::move(message),
               "end with an assistant's message of text, or leave out the wish to go on with it");
}

bool is_inside(const models::MarkedText& text, size_t begin, size_t end) {
  return std::any_of(text.untrusted.begin(), text.untrusted.end(),
                     [&](const auto& range) { return range.begin <= begin && end <= range.end; });
}

void cut_behind(models::MarkedText& text, size_t end) {
  text.text.resize(end);
  while (!text.untrusted.empty() && text.untrusted.back().begin >= end) text.untrusted.pop_back();
  if (!text.untrusted.empty()) {
    text.untrusted.back().end = std::min(text.untrusted.back().end, end);
  }
}

// The prompt up to the end of the last message's text: what closes the turn is left out.
models::MarkedText render_open(const models::Model& model, Conversation conversation) {
  const auto& messages = conversation.messages;
  if (messages.empty() || messages.back().role != "assistant") {
    throw cannot_continue("the last message is to be gone on with, but it is no assistant's");
  }
  const models::Message last = messages.back();
  if (!last.tool_calls.empty()) {
    throw cannot_continue("the last message is to be gone on with, but it calls tools");
  }
  const std::string_view whole = last.content.empty() ? last.reasoning : last.content;
  std::string_view text = whole;
  while (!text.empty() && models::is_json_space(text.back())) text.remove_suffix(1);
  if (text.empty()) {
    conversation.messages.pop_back();
    conversation.add_generation_prompt = true;
    return models::render_conversation(model, conversation);
  }
  conversation.add_generation_prompt = false;
  models::MarkedText rendered = models::render_conversation(model, conversation);
  const size_t at = rendered.text.rfind(text);
  if (at == std::string::npos || !is_inside(rendered, at, at + text.size())) {
    throw cannot_continue(
        "the last message cannot be gone on with: the model's chat template "
        "does not write its text as it is");
  }
  cut_behind(rendered, at + text.size());
  rendered.text += whole.substr(text.size());
  rendered.untrusted.back().end = rendered.text.size();
  return rendered;
}

models::MarkedText render_asked(const ChatRequest& request, const models::Model& model,
                                const Conversation& conversation) {
  return request.continue_last ? render_open(model, conversation)
                               : models::render_conversation(model, conversation);
}

models::MarkedText render_described(const ChatRequest& request, const models::Model& model,
                                    const Conversation& conversation) {
  using models::ToolsPlace;
  const auto render = [&](ToolsPlace place) {
    return render_asked(request, model,
                        models::with_described_tools(conversation, model.overrides.system, place));
  };
  try {
    return render(ToolsPlace::system);
  } catch (const Error& error) {
    // The template may refuse a system message; what else it refuses it refuses again.
    if (error.code() != Code::invalid_argument) throw;
    return render(ToolsPlace::first_user_message);
  }
}

void enter_answer(const models::Message& last, models::OutputOptions& options) {
  if (!last.content.empty()) options.state = models::ThinkState::closed;
  if (last.content.empty() && !last.reasoning.empty()) options.state = models::ThinkState::open;
}

// A conversation as its model is told of it.
struct Told {
  std::string source;          // of the template
  std::set<std::string> read;  // variables that it looks at
  Conversation conversation;
  const models::OutputFormat* described = nullptr;  // tools in words; null: none
  models::MarkedText text;
  std::vector<std::string> notices;
};

Told tell(const ChatRequest& request, const models::Model& model) {
  const std::optional<models::Model> other = asked_model(request, model);
  const models::Model& asked = other ? *other : model;
  Told told;
  if (asked.chat_template) told.source = asked.chat_template->source();
  told.read = models::names_of_template(told.source);
  told.conversation = request.conversation;
  told.conversation.tools = allowed_tools(request);
  put_system_front(request.system_front, asked.overrides.system, told.conversation.messages);
  wish_reasoning(request.reasoning, told.read, told.conversation, told.notices);
  told.described = described_format(told.conversation, told.read);
  told.text = told.described != nullptr ? render_described(request, asked, told.conversation)
                                        : render_asked(request, asked, told.conversation);
  return told;
}

}  // namespace

models::MarkedText render_prompt(const ChatRequest& request, const models::Model& model) {
  return tell(request, model).text;
}

PreparedConversation prepare_conversation(const ChatRequest& request, const models::Model& model,
                                          uint64_t id_seed) {
  models::ToolSet tools(request.conversation.tools, request.tool_choice);
  Told told = tell(request, model);
  PreparedConversation prepared;
  prepared.text = std::move(told.text);
  prepared.notices = std::move(told.notices);
  const auto plan = models::plan_output(told.source, *model.tokenizer, prepared.text.text,
                                        std::move(tools), told.described);
  tell_of_tools(told.conversation, told.read, plan.get(), prepared.notices);
  limit_reasoning(request.reasoning, plan.get(), prepared.notices);
  if (plan && request.continue_last) enter_answer(told.conversation.messages.back(), plan->options);
  constrain_calls(request, plan.get(), prepared);
  if (plan) {
    plan->options.id_seed = id_seed;
    plan->options.calls_only = prepared.frame.calls_only;
    plan->options.fragments = request.call_fragments && !prepared.triggers.empty();
    // A model that was never trained to call tools does not end behind the call that it has to
    // make.
    const bool required = request.tool_choice.mode == ToolChoice::Mode::required;
    if (!request.tool_choice.parallel || (told.described != nullptr && required)) {
      plan->max_calls = 1;
    }
  }
  prepared.reading = plan;
  return prepared;
}

}  // namespace strata::api
