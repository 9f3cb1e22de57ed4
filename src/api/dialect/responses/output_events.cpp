#include "api/dialect/responses/output_events.h"

#include <algorithm>

#include "api/conversation/page.h"
#include "api/dialect/responses/responses.h"
#include "api/dialect/token_json.h"

namespace strata::api::responses {

json::object OutputEvents::event(std::string_view type) {
  return {{"type", type}, {"sequence_number", sequence_++}};
}

// Of the last item.
json::object OutputEvents::item_event(std::string_view type) {
  json::object object = event(type);
  object["output_index"] = items_.size() - 1;
  object["item_id"] = items_.back().id;
  if (items_.back().kind != Item::Kind::call) object["content_index"] = 0;
  return object;
}

json::object OutputEvents::lifecycle(std::string_view type, json::object response) {
  json::object object = event(type);
  object["response"] = std::move(response);
  return object;
}

json::object OutputEvents::part_json(const Item& item) const {
  if (item.kind == Item::Kind::reasoning) return {{"type", "reasoning_text"}, {"text", item.text}};
  return {{"type", "output_text"},
          {"text", item.text},
          {"annotations", json::array{}},
          {"logprobs", item.logprobs}};
}

json::object OutputEvents::item_json(const Item& item) const {
  json::object object{{"id", item.id}};
  json::array content;
  if (!item.text.empty() || item.status != "in_progress") content.push_back(part_json(item));
  switch (item.kind) {
    case Item::Kind::reasoning:
      object["type"] = "reasoning";
      object["summary"] = json::array{};
      object["content"] = std::move(content);
      if (options_.sealed_reasoning) object["encrypted_content"] = seal(item.text);
      break;
    case Item::Kind::message:
      object["type"] = "message";
      object["role"] = "assistant";
      object["content"] = std::move(content);
      break;
    case Item::Kind::call:
      object["type"] = "function_call";
      object["call_id"] = item.call_id;
      object["name"] = item.name;
      object["arguments"] = item.text;
      break;
  }
  object["status"] = item.status;
  return object;
}

bool OutputEvents::is_open(Item::Kind kind) const {
  return open_ && items_.back().kind == kind;
}

OutputEvents::Item& OutputEvents::open(Item::Kind kind, std::string_view prefix,
                                       std::vector<json::object>& out) {
  close("completed", out);
  Item item{kind, new_id(prefix), {}, {}, {}, {}, "in_progress"};
  items_.push_back(std::move(item));
  open_ = true;
  return items_.back();
}

// output_item.added, and content_part.added where the item has parts.
void OutputEvents::announce(std::vector<json::object>& out) {
  json::object added = event("response.output_item.added");
  added["output_index"] = items_.size() - 1;
  added["item"] = item_json(items_.back());
  out.push_back(std::move(added));
  if (items_.back().kind == Item::Kind::call) return;
  json::object part = item_event("response.content_part.added");
  part["part"] = part_json(items_.back());
  out.push_back(std::move(part));
}

OutputEvents::Item& OutputEvents::open_call(const models::ToolCallPiece& piece,
                                            std::vector<json::object>& out) {
  if (is_open(Item::Kind::call) && call_ == piece.index) return items_.back();
  if (piece.index <= call_) {
    throw Error(Code::internal,
                fmt::format("a piece of call {} came behind call {}", piece.index, call_));
  }
  Item& item = open(Item::Kind::call, "fc_", out);
  item.call_id = piece.id.empty() ? new_id("call_") : piece.id;
  item.name = piece.name;
  call_ = piece.index;
  announce(out);
  return item;
}

void OutputEvents::add_text(Item::Kind kind, std::string_view prefix, const std::string& text,
                            const ChatEvent& event, std::vector<json::object>& out) {
  if (!is_open(kind)) {
    open(kind, prefix, out);
    announce(out);
  }
  Item& item = items_.back();
  item.text += text;
  const bool is_text = kind == Item::Kind::message;
  json::object delta =
      item_event(is_text ? "response.output_text.delta" : "response.reasoning_text.delta");
  delta["delta"] = text;
  if (is_text) {
    json::array logprobs;
    if (options_.logprobs) logprobs = logprob_array(event.event.tokens);
    for (const json::value& each : logprobs) item.logprobs.push_back(each);
    delta["logprobs"] = std::move(logprobs);
  }
  out.push_back(std::move(delta));
}

void OutputEvents::add(const ChatEvent& event, std::vector<json::object>& out) {
  const size_t before = items_.size();
  if (!event.reasoning.empty()) {
    add_text(Item::Kind::reasoning, "rs_", event.reasoning, event, out);
  }
  const bool has_logprobs = options_.logprobs && !event.event.tokens.empty();
  if (!event.event.text.empty() || (has_logprobs && is_open(Item::Kind::message))) {
    add_text(Item::Kind::message, "msg_", event.event.text, event, out);
  }
  for (const models::ToolCallPiece& piece : event.calls) {
    Item& item = open_call(piece, out);
    if (piece.arguments.empty()) continue;
    item.text += piece.arguments;
    json::object delta = item_event("response.function_call_arguments.delta");
    delta["delta"] = piece.arguments;
    out.push_back(std::move(delta));
  }
  if (!items_.empty()) changed_ = std::min(changed_, before == 0 ? 0 : before - 1);
}

void OutputEvents::ensure_item(std::vector<json::object>& out) {
  if (!items_.empty()) return;
  open(Item::Kind::message, "msg_", out);
  announce(out);
}

void OutputEvents::close(std::string_view status, std::vector<json::object>& out) {
  if (!open_) return;
  open_ = false;
  Item& item = items_.back();
  item.status = status;
  changed_ = std::min(changed_, items_.size() - 1);
  if (item.kind == Item::Kind::call) {
    json::object done = item_event("response.function_call_arguments.done");
    done["name"] = item.name;
    done["arguments"] = item.text;
    out.push_back(std::move(done));
  } else {
    const bool is_text = item.kind == Item::Kind::message;
    json::object done =
        item_event(is_text ? "response.output_text.done" : "response.reasoning_text.done");
    done["text"] = item.text;
    if (is_text) done["logprobs"] = item.logprobs;
    out.push_back(std::move(done));
    json::object part = item_event("response.content_part.done");
    part["part"] = part_json(item);
    out.push_back(std::move(part));
  }
  json::object done = event("response.output_item.done");
  done["output_index"] = items_.size() - 1;
  done["item"] = item_json(item);
  out.push_back(std::move(done));
}

json::array OutputEvents::items(size_t first) const {
  json::array all;
  for (size_t i = first; i < items_.size(); ++i) all.push_back(item_json(items_[i]));
  return all;
}

size_t OutputEvents::take_changed() {
  const size_t first = std::min(changed_, items_.size());
  changed_ = items_.size();
  return first;
}

}  // namespace strata::api::responses
