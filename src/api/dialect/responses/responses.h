// The Responses dialect's parts, internal to this folder: OpenAI's /v1/responses and
// /v1/conversations, which Open Responses specifies for everybody.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/conversation/history.h"
#include "api/dialect/dialect.h"
#include "api/json_fields.h"
#include "api/request.h"

namespace strata::api::responses {

constexpr size_t kMaxItems = 8192;      // of one request's input
constexpr size_t kMaxNewItems = 20;     // of one change of a conversation
constexpr size_t kMaxTools = 128;       // as OpenAI has it
constexpr size_t kMaxIdentifier = 512;  // safety_identifier, prompt_cache_key, user

// A request as read from the wire.
struct Ask {
  ChatRequest chat;          // all but the conversation's messages
  json::array input;         // items in the form in which they are kept, each with a new id
  std::string instructions;  // "": none
  std::vector<models::Message> prompt;  // of the registry, behind the instructions
  std::string previous;                 // previous_response_id
  std::string conversation;             // its id
  bool store = true, background = false, stream = false;
  bool logprobs = false;          // the text's parts carry them
  bool sealed_reasoning = false;  // reasoning items carry encrypted_content
  json::object mirror;            // what the answer repeats of the request, by the answer's names
  std::string request;            // the body without its input
};

// What may stand in for an id in an input. nullopt: the caller has no such item.
using FindItem = std::function<std::optional<json::object>(const std::string& id)>;

// FieldError, Error{invalid_argument}, Error{unimplemented} with what to do instead.
Ask parse_ask(const Services& services, const Request& request);
// Of /v1/responses/input_tokens and /v1/responses/compact: what makes the prompt.
Ask parse_count(const Services& services, const Request& request);
Ask parse_compact(const Services& services, const Request& request);
// "prompt": a version of the registry with its variables filled in; its settings become fields of
// the document where the request does not say them.
void apply_prompt(json::value& document, Ask& ask, const Services& services,
                  const std::string& owner);
void read_tools(Fields& fields, Ask& ask);  // tools, tool_choice, parallel_tool_calls

[[noreturn]] void refuse_unbuilt(const std::string& what, std::string hint);
// A tool of the server's own, by what stands in `fields` as its type. FieldError, so that no client
// asks again; Error{unimplemented} for those of the kinds that are meant to be built.
[[noreturn]] void refuse_tool(const Fields& fields, std::string_view type, const std::string& what);

// One item of an input, checked, in the form in which it is kept. `path` names it in errors.
json::object read_item(const json::value& value, const std::string& path,
                       const FindItem& find_item);
json::array read_items(Fields& fields, std::string_view key, size_t max_count,
                       const FindItem& find_item);

// Items as they are kept → messages. An assistant's reasoning, text and calls are one message.
void append_messages(const json::array& items, std::vector<models::Message>& messages);

// Text that a client keeps for us and sends back; nothing secret: anybody can read it.
std::string seal(std::string_view text);
std::optional<std::string> unseal(std::string_view sealed);  // nullopt: not one of ours

// The response object without output: `mirror`, and what every answer has.
json::object resource(const Ask& ask, const std::string& id, int64_t created_s);
json::object usage_json(const inference::Usage& usage, int32_t reasoning_tokens);

// limit, after and order of a list.
PageRequest read_page_request(const Request& request, bool ascending);
json::object list_json(Page page);
void respond_json(Exchange& exchange, const json::value& body);
// Error{failed_precondition} where nothing is kept.
History& history_of(const Services& services);

// Looks items up in what the owner has kept.
FindItem finder(const Services& services, const std::string& owner);
// What stands before the input, and the input, as messages of ask.chat. Error{not_found}, and those
// of ResponseStore::chain.
void assemble(Ask& ask, const Services& services, const Request& request);
Error conversation_not_found(std::string_view id);

void add_response_routes(RouteTable& table, const Services& services, const Dialect& dialect);
void add_side_routes(RouteTable& table, const Services& services, const Dialect& dialect);
void add_conversation_routes(RouteTable& table, const Services& services, const Dialect& dialect);
void add_chat_routes(RouteTable& table, const Services& services, const Dialect& dialect);

}  // namespace strata::api::responses
